"""The cubic ramp."""

from hypothesis import given
from hypothesis import strategies as st

from darb.sw.pruning import ratio_at


@given(st.integers(0, 1000), st.floats(1, 100))
def test_rises_from_one_to_the_ratio(steps, ratio):
    values = [ratio_at(step, steps=steps, ratio=ratio) for step in range(steps + 2)]
    assert values == sorted(values)
    assert values[-2:] == [ratio, ratio]
    if steps:
        assert values[0] == 1


def test_pruned_share_is_cubic():
    share = [1 - 1 / ratio_at(step, steps=10, ratio=5) for step in range(11)]
    expected = [0.8 * (1 - (1 - step / 10) ** 3) for step in range(11)]
    assert all(abs(a - b) < 1e-12 for a, b in zip(share, expected, strict=True))
