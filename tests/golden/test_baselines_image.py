"""What the images of all rivals have in common: their files, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest
from rival_models import RIVALS
from sparse_layers import layer_of, random_layer

from darb.golden.baselines import BaselineConfig, BaselineImage, balanced_order

SMALL = {
    "csr": {"multipliers": 4},
    "bsr": {"multipliers": 16, "block_size": 2, "blocks_a_step": 2},
    "relative_csc": {"multipliers": 4},
}
LAYER = random_layer(np.random.default_rng(4), (6, 9), density=0.3, empty=0.0)

for_each_rival = pytest.mark.parametrize("rival", RIVALS)


def packed(rival):
    """Return the image of a small layer."""
    fit, pack, _ = RIVALS[rival]
    return pack(LAYER, fit(LAYER, **SMALL[rival]))


@for_each_rival
def test_files_are_the_memories(rival):
    image = packed(rival)
    shapes, files = image.config.memory_shapes, image.files()
    assert list(files) == [f"{name}.mem" for name in shapes]
    for name, (depth, width) in shapes.items():
        lines = files[f"{name}.mem"].decode().split()
        assert {len(line) for line in lines} == {-(-width // 4)}
        words = [int(line, 16).to_bytes(-(-width // 8), "little") for line in lines]
        assert len(words) == depth
        assert b"".join(words) == image.memories[name].tobytes()


@for_each_rival
def test_memories_are_those_of_the_config(rival):
    image = packed(rival)
    with pytest.raises(ValueError, match=r"memories must be \['rows', .*\], not \['rows'\]"):
        BaselineImage(image.config, {"rows": image.memories["rows"]})
    entries = image.memories["entries_0"]
    short = {**image.memories, "entries_0": entries[:-1]}
    message = rf"memory entries_0 must have shape \({len(entries)}, .\), not \({len(entries) - 1}, "
    with pytest.raises(ValueError, match=message):
        BaselineImage(image.config, short)


@for_each_rival
def test_layers_that_do_not_fit_are_refused(rival):
    _, pack, _ = RIVALS[rival]
    config = packed(rival).config
    depth, bits = config.entry_depth - 1, config.accumulator_bits - 1
    with pytest.raises(ValueError, match=f"lane . must have at most {depth} entries, not "):
        pack(LAYER, replace(config, entry_depth=depth))
    with pytest.raises(ValueError, match=rf"accumulators must fit {bits} bits, not \d+"):
        pack(LAYER, replace(config, accumulator_bits=bits))
    with pytest.raises(ValueError, match=r"layer must have shape \(6, 8\), not \(6, 9\)"):
        pack(LAYER, replace(config, columns=8))
    with pytest.raises(ValueError, match="layer's relu must be True, not False"):
        pack(LAYER, replace(config, relu=True))
    with pytest.raises(TypeError, match="layer must be an IntegerLayer, not 'layer'"):
        pack("layer", config)


@for_each_rival
def test_fits_are_refused(rival):
    fit, _, _ = RIVALS[rival]
    with pytest.raises(TypeError, match="layer must be an IntegerLayer, not 'layer'"):
        fit("layer", **SMALL[rival])
    with pytest.raises(ValueError, match=r"multipliers must be .*, not 0"):
        fit(LAYER, **{**SMALL[rival], "multipliers": 0})


@for_each_rival
def test_a_beat_is_no_wider_than_the_widest(rival):
    fit, _, _ = RIVALS[rival]
    weights = np.zeros((1, 700), dtype=np.int64)
    weights[0, 5] = 1
    assert fit(layer_of(weights), **SMALL[rival]).beat == 256


@for_each_rival
def test_rows_are_packed_in_the_order_given(rival):
    fit, pack, model = RIVALS[rival]
    for order in (None, np.array([4, 5, 0, 1, 2, 3])):
        image = pack(LAYER, fit(LAYER, order=order, **SMALL[rival]), order=order)
        expected = np.arange(6) if order is None else order
        assert np.array_equal(model(image).rows["address"], expected)
        assert np.array_equal(model(image).dense(), LAYER.weights[expected])


@for_each_rival
def test_orders_are_checked(rival):
    fit, pack, _ = RIVALS[rival]
    config = packed(rival).config
    for order, error, message in (
        (np.arange(6.0), TypeError, "order must be integers, not float64"),
        (np.zeros(6, dtype=int), ValueError, "order must name each of 6 rows once, not "),
    ):
        with pytest.raises(error, match=message):
            fit(LAYER, order=order, **SMALL[rival])
        with pytest.raises(error, match=message):
            pack(LAYER, config, order=order)


@for_each_rival
def test_configs_and_images_of_another_kind_are_refused(rival):
    _, pack, model = RIVALS[rival]
    kind = model.config_kind.__name__
    base = BaselineConfig(multipliers=4, columns=9, rows=6)
    others = [packed(other) for other in RIVALS if other != rival]
    for image in (BaselineImage(base, {"rows": others[0].memories["rows"]}), *others):
        given = type(image.config).__name__
        with pytest.raises(TypeError, match=rf"config must be a {kind}, not {given}\("):
            pack(LAYER, image.config)
        with pytest.raises(TypeError, match=rf"image must have a {kind}, not {given}\("):
            model(image)


@pytest.mark.parametrize(
    ("weights", "multipliers", "folding", "error", "message"),
    [
        (LAYER.weights, 0, {}, ValueError, "multipliers must be at least 1, not 0"),
        (
            LAYER.weights,
            7,
            {"block_size": 2, "blocks_a_step": 2},
            ValueError,
            "multipliers must be at least 8, not 7",
        ),
        (LAYER.weights, 7, {"block_size": None}, TypeError, "block_size must be an int, not None"),
        (
            LAYER.weights,
            7,
            {"blocks_a_step": 0},
            ValueError,
            "blocks_a_step must be at least 1, not 0",
        ),
        (LAYER.weights * 0.5, 7, {}, TypeError, "weights must be integers, not float64"),
        ([1, 2], 7, {}, ValueError, r"weights must have shape \(M, N\), not \(2,\)"),
    ],
)
def test_what_cannot_be_balanced_is_refused(weights, multipliers, folding, error, message):
    with pytest.raises(error, match=message):
        balanced_order(weights, multipliers, **folding)
