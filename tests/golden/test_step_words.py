import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from darb.golden import EngineConfig
from darb.golden.step_words import by_row, by_step, pack_indices, unpack_indices


@given(
    st.integers(1, 9), st.sampled_from([1, 2, 4]), st.integers(1, 5), st.sampled_from([1, 2, 4, 8])
)
def test_a_step_takes_one_slot_of_each_lane_of_each_row(m, lanes, steps, rows):
    slots = np.arange(1, m * lanes * steps + 1).reshape(m, lanes, steps)
    words = by_step(slots, rows)
    groups = -(-m // rows)
    assert words.shape == (groups * steps, rows * lanes)
    for word, group in enumerate(range(groups * steps)):
        group, step = divmod(word, steps)
        for multiplier in range(rows * lanes):
            slot, lane = divmod(multiplier, lanes)
            row = group * rows + slot
            expected = slots[row, lane, step] if row < m else 0
            assert words[word, multiplier] == expected
    back = by_row(words, rows, lanes, steps)
    assert (back[:m] == slots).all()
    assert not back[m:].any()


@given(st.data())
def test_indices_fill_a_field_from_below(data):
    index_word_bits = data.draw(st.integers(1, 20))
    k = data.draw(st.integers(0, min(12, index_word_bits)))
    config = EngineConfig(
        lanes=2,
        rows=2,
        index_word_bits=index_word_bits,
        max_k=k,
        weight_depth=1,
        index_depth=1,
        row_depth=1,
        layer_depth=3,
        input_depth=1,
        hidden_depth=1,
        output_depth=1,
    )
    count = data.draw(st.integers(1, 9))
    index = st.integers(0, (1 << k) - 1)
    steps = data.draw(st.lists(st.lists(index, min_size=4, max_size=4), min_size=count))
    words = pack_indices(np.array(steps, dtype=np.int16), k, config)
    per_word = index_word_bits // k if k else 0
    assert len(words) == (-(-len(steps) // per_word) if k else 0)
    for number, word in enumerate(words):
        value = int.from_bytes(word.tobytes(), "little")
        for multiplier in range(4):
            field = value >> multiplier * index_word_bits & ((1 << index_word_bits) - 1)
            mine = [step[multiplier] for step in steps[number * per_word :][:per_word]]
            assert field == sum(one << k * place for place, one in enumerate(mine))
    assert unpack_indices(words, len(steps), k, config).tolist() == steps


@pytest.mark.parametrize(("k", "depth"), [(0, 0), (1, 1), (2, 2), (5, 6), (6, 6), (7, 12)])
def test_words_for_twelve_steps(k, depth):
    config = EngineConfig(
        lanes=1,
        rows=1,
        max_k=12,
        weight_depth=1,
        index_depth=1,
        row_depth=1,
        layer_depth=3,
        input_depth=1,
        hidden_depth=1,
        output_depth=1,
    )
    assert len(pack_indices(np.zeros((12, 1), dtype=np.int16), k, config)) == depth
