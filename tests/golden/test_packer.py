import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st
from random_networks import random_network
from sparse_layers import layer_of

from darb.golden import (
    EngineConfig,
    IntegerLayer,
    IntegerNetwork,
    OutputMode,
    Pattern,
    PatternMisfitError,
    fit_config,
    pack,
    unpack,
)
from darb.golden.image_walk import read_layers

LANES = st.sampled_from([1, 2, 4, 8, 16])
ROWS = st.sampled_from([1, 2, 4, 8])


@st.composite
def cases(draw, kinds=range(7), keeps=range(1, 5)):
    """A random network with an engine of some shape to pack it for."""
    lanes = draw(LANES)
    sizes = draw(st.lists(st.integers(1, 40), min_size=2, max_size=4))
    network = random_network(
        np.random.default_rng(draw(st.integers(0, 2**32))),
        sizes,
        ks=draw(st.lists(st.sampled_from(kinds), min_size=1, unique=True)),
        keeps=draw(st.lists(st.sampled_from(keeps), min_size=1, unique=True)),
        weight_bits=draw(st.sampled_from([2, 4, 8])),
        lanes=draw(st.sampled_from([None, lanes])),
        spare_columns=draw(st.sampled_from([0.0, 0.3])),
    )
    index_word_bits = draw(st.sampled_from([6, 12, 13]))
    return network, fit_config(
        network, lanes=lanes, rows=draw(ROWS), index_word_bits=index_word_bits
    )


@given(cases())
def test_unpack_gives_back_the_network(case):
    network, config = case
    assert unpack(pack(network, config)) == network.drop_dead_rows()


@given(cases())
def test_the_fitted_config_wastes_no_word(case):
    network, config = case
    for name in ("weight_depth", "row_depth", "layer_depth", "index_depth"):
        depth = getattr(config, name)
        if depth > (3 if name == "layer_depth" else 1):
            smaller = fit_config_like(config, **{name: depth - 1})
            with pytest.raises(
                ValueError, match=f"^{name} must be at least {depth} for this network, not"
            ):
                pack(network, smaller)


def test_the_fitted_config_of_two_networks_by_hand():
    # Three rows in two groups, two steps each; 6 * 128 is the largest sum.
    first = layer_of([[1, 2, 3, 0], [0, -5, 0, 0], [0, 4, 0, 0]])
    fields = {"lanes": 2, "rows": 2, "max_k": 0, "accumulator_bits": 11, "index_depth": 1}
    one = {"weight_depth": 4, "row_depth": 4, "layer_depth": 3}
    one |= {"input_depth": 2, "hidden_depth": 1, "output_depth": 3}
    alone = fit_config(IntegerNetwork(layers=(first,)), lanes=2, rows=2)
    assert alone == EngineConfig(**fields, **one)
    two = {"weight_depth": 6, "row_depth": 6, "layer_depth": 4}
    two |= {"input_depth": 2, "hidden_depth": 2, "output_depth": 1}
    network = IntegerNetwork(layers=(first, layer_of([[1, 1, 1]])))
    assert fit_config(network, lanes=2, rows=2) == EngineConfig(**fields, **two)
    least = fit_config(
        IntegerNetwork(layers=(layer_of([[1]]),), activation_bits=2), lanes=1, rows=1
    )
    assert least.accumulator_bits == 8


def fit_config_like(config, **changes):
    return type(config).from_dict({**config.to_dict(), **changes})


@given(cases())
def test_a_roomier_config_holds_it_as_well(case):
    network, config = case
    roomy = fit_config_like(
        config,
        weight_depth=config.weight_depth + 3,
        index_depth=config.index_depth + 1,
        row_depth=config.row_depth * 2,
        layer_depth=config.layer_depth + 5,
        input_depth=config.input_depth + 1,
        hidden_depth=config.hidden_depth + 7,
        output_depth=config.output_depth + 9,
        accumulator_bits=32,
    )
    assert unpack(pack(network, roomy)) == network.drop_dead_rows()


@given(cases())
def test_slots_hold_the_matrix_that_scipy_builds_from_them(case):
    """Each slot is a coordinate and a value; scipy sums them to the weight matrix."""
    network, config = case
    walked = read_layers(pack(network, config))
    for number, (layer, packed) in enumerate(zip(network.layers, walked, strict=True)):
        m, n = layer.shape
        total = scipy.sparse.csr_array((m, n), dtype=np.int64)
        for section in packed.sections:
            real = section.stored
            values = section.slots.weights[real].astype(np.int64)
            positions = section.slots.positions(section.pattern, packed.segments)[real]
            if number == len(walked) - 1:
                names = section.rows["address"][real]
            else:
                after = walked[number + 1]
                place = section.rows["bank"][real] * after.segments.length
                names = after.info.order[place + section.rows["address"][real]]
            rows = np.broadcast_to(names[:, None, None], values.shape)
            used = values != 0
            where = (rows[used], layer.columns[positions[used]])
            total += scipy.sparse.coo_array((values[used], where), shape=(m, n)).tocsr()
        live = np.isin(np.arange(m), network.live_rows(number))
        expected = scipy.sparse.csr_array(layer.weights * live[:, None])
        assert abs(total - expected).nnz == 0


@pytest.mark.parametrize(
    ("ks", "keeps"),
    [((0,), (1,)), (range(7), (1,)), ((2,), (2,)), ((3,), (4,)), ((6,), (1, 2, 3, 4))],
    ids=["dense", "darb", "2-of-4", "4-of-8", "k-of-n"],
)
@pytest.mark.parametrize("size", [[1, 1], [1, 7, 1], [97, 1], [1, 33], [61, 29, 13, 5, 3]])
@pytest.mark.parametrize("restart", [False, True])
def test_named_patterns_on_awkward_sizes(ks, keeps, size, restart):
    for lanes in (1, 4, 16):
        network = random_network(
            np.random.default_rng(lanes), size, ks=ks, keeps=keeps, lanes=lanes if restart else None
        )
        image = pack(network, fit_config(network, lanes=lanes, rows=2))
        assert unpack(image) == network.drop_dead_rows()


def test_no_slot_is_padding_where_blocks_restart_at_full_segments():
    network = random_network(np.random.default_rng(0), [64, 8], ks=(2,), lanes=4)
    (layer,) = read_layers(pack(network, fit_config(network, lanes=4, rows=4)))
    assert layer.slots() == layer.stored_weights() == 8 * 16


def test_the_same_network_gives_the_same_words():
    network = random_network(np.random.default_rng(1), [20, 9, 4])
    config = fit_config(network, lanes=4, rows=2)
    first, second = pack(network, config), pack(network, config)
    for name, words in first.memories.items():
        assert (words == second.memories[name]).all()


def test_the_digest_follows_every_memory():
    network = random_network(np.random.default_rng(2), [20, 4], weight_bits=4)
    config = fit_config(network, lanes=2, rows=2)
    (layer,) = network.layers
    fields = {name: getattr(layer, name) for name in layer.__dataclass_fields__}
    digests = {pack(network, config).digest}
    digests.add(pack(network, fit_config_like(config, output_depth=5)).digest)
    for change in ({"weights": -layer.weights}, {"bias": -layer.bias - 1}, {"shift": [9] * 4}):
        other = IntegerNetwork(layers=(IntegerLayer(**{**fields, **change}),), weight_bits=4)
        digests.add(pack(other, config).digest)
    assert len(digests) == 5


def small_layer(**changes):
    weights = changes.pop("weights", np.array([[1, 2, 0, 0], [0, 0, 3, 4]]))
    m, n = weights.shape
    fields = {
        "bias": [0] * m,
        "multiplier": [1 << 15] * m,
        "shift": [15] * m,
        "patterns": (Pattern(0),) * m,
        "columns": np.arange(n),
        "relu": False,
    }
    return IntegerLayer(name="fc", weights=weights, **{**fields, **changes})


def small_network(**changes):
    return IntegerNetwork(layers=(small_layer(**changes),), weight_bits=4)


@pytest.mark.parametrize(
    ("pinned", "text"),
    [
        ({"weight_bits": 3}, "weight_bits must be at least 4 for this network, not 3"),
        ({"accumulator_bits": 10}, "accumulator_bits must be at least 11 for this network, not 10"),
        ({"input_depth": 1}, "input_depth must be at least 2 for this network, not 1"),
        ({"output_depth": 1}, "output_depth must be at least 2 for this network, not 1"),
        ({"weight_depth": 3}, "weight_depth must be at least 4 for this network, not 3"),
        ({"row_depth": 1}, "row_depth must be at least 2 for this network, not 1"),
        ({"activation_bits": 7}, "activation_bits must be the network's 8, not 7"),
    ],
)
def test_a_config_too_small(pinned, text):
    network = small_network()
    config = fit_config(network, lanes=2, rows=1, **pinned)
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the text is compared whole
        pack(network, config)
    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("fields", "error", "text"),
    [
        ({"rows": 0}, ValueError, "rows must be in 1..64, not 0"),
        ({"rows": 3}, ValueError, "rows must be a power of two, not 3"),
        ({"lanes": "2"}, TypeError, "lanes must be an int, not '2'"),
        ({"lanes": 2.0}, TypeError, "lanes must be an int, not 2.0"),
        ({"index_word_bits": "x"}, TypeError, "index_word_bits must be an int, not 'x'"),
        ({"index_word_bits": 0}, ValueError, "index_word_bits must be in 1..64, not 0"),
        ({"output_mode": 1}, TypeError, "output_mode must be an OutputMode, not 1"),
    ],
)
def test_a_shape_that_no_engine_has(fields, error, text):
    with pytest.raises(error) as caught:
        fit_config(small_network(), **{"lanes": 2, "rows": 1, **fields})
    assert str(caught.value) == text


def test_index_words_too_narrow_for_the_default_blocks():
    assert fit_config(small_network(), lanes=2, rows=1, index_word_bits=1).max_k == 0


def test_a_row_that_is_not_stored_widens_nothing():
    first = small_layer(weights=np.ones((2, 1), dtype=int), bias=[0, 2**31 - 1], columns=[0])
    second = small_layer(weights=np.array([[1, 0]]), columns=[0])
    network = IntegerNetwork(layers=(first, second))
    config = fit_config(network, lanes=1, rows=1)
    assert config.accumulator_bits == 9
    assert unpack(pack(network, config)) == network.drop_dead_rows()


@pytest.mark.parametrize("mode", OutputMode)
def test_a_last_layer_whose_relu_would_be_lost(mode):
    network = IntegerNetwork(layers=(small_layer(relu=True),))
    config = fit_config(network, lanes=2, rows=1, output_mode=mode)
    if mode is OutputMode.ACTIVATIONS:
        assert unpack(pack(network, config)) == network
        return
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the text is compared whole
        pack(network, config)
    assert str(caught.value) == (
        "layer fc: the last layer must be without a ReLU, which only output_mode activations "
        f"applies, not {mode.value!r}"
    )


def test_a_pattern_beyond_max_k_and_a_layer_beyond_hidden_depth():
    network = small_network(patterns=(Pattern(1, 2), Pattern(1, 2)))
    with pytest.raises(ValueError, match=r"^max_k must be at least 1 for this network, not 0$"):
        pack(network, fit_config(network, lanes=2, rows=1, max_k=0))
    deep = random_network(np.random.default_rng(0), [4, 9, 2], ks=(0,))
    with pytest.raises(ValueError, match=r"^hidden_depth must be at least 5 for this network, "):
        pack(deep, fit_config(deep, lanes=2, rows=1, hidden_depth=4))


def test_a_misfit_is_refused_before_anything_is_packed():
    network = small_network(patterns=(Pattern(0), Pattern(2, 1)), columns=[3, 2, 1, 0])
    with pytest.raises(PatternMisfitError) as caught:
        fit_config(network, lanes=1, rows=1)
    assert str(caught.value) == (
        "row 1, columns 0..3 must hold at most 1 nonzero weight (pattern 1 of 4), not 2 in layer fc"
    )
    assert caught.value.row == 1


def tall_network(rows):
    first = small_layer(weights=np.ones((rows, 1), dtype=int), columns=[0])
    second = small_layer(weights=np.ones((1, rows), dtype=int), columns=np.arange(rows))
    return IntegerNetwork(layers=(first, second))


def test_more_row_groups_than_a_descriptor_counts():
    network = tall_network(65537)
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the text is compared whole
        pack(network, fit_config(network, lanes=8, rows=1))
    assert str(caught.value) == (
        "layer fc: rows of one pattern must make at most 65536 groups of 1, not 65537"
    )


def test_as_many_row_groups_as_a_descriptor_counts():
    network = tall_network(65536)
    first, _ = read_layers(pack(network, fit_config(network, lanes=8, rows=1)))
    assert [section.groups for section in first.sections] == [65536]
