import pytest
from hypothesis import given
from hypothesis import strategies as st

from darb.golden import Pattern, Segments


@st.composite
def patterns(draw):
    k = draw(st.integers(0, 12))
    return Pattern(k, draw(st.integers(1, min(1 << k, 255))))


@given(patterns(), st.integers(1, 300))
def test_counts_agree_with_counting_one_column_at_a_time(pattern, length):
    widths = [0] * -(-length // 2**pattern.k)
    for column in range(length):
        widths[column // 2**pattern.k] += 1
    assert pattern.blocks(length) == len(widths)
    assert pattern.slots(length) == sum(pattern.keep for _ in widths)
    assert pattern.stored(length) == sum(min(width, pattern.keep) for width in widths)


@given(st.integers(1, 200), st.integers(1, 17), st.integers(1, 70))
def test_segments_cover_the_columns_once_in_order(columns, lanes, align):
    segments = Segments(columns, lanes, align)
    assert segments.length % align == 0
    assert segments.length * lanes >= columns
    assert (segments.length - align) * lanes < columns
    assert sum(segments.widths()) == columns
    full = [width == segments.length for width in segments.widths()]
    assert full == sorted(full, reverse=True)


def test_order_and_spelling():
    assert sorted([Pattern(3), Pattern(0), Pattern(2, 2), Pattern(2)]) == [
        Pattern(0),
        Pattern(2),
        Pattern(2, 2),
        Pattern(3),
    ]
    assert str(Pattern(2, 2)) == "2 of 4"


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ((1.0,), TypeError, "pattern k must be an int, not 1.0"),
        ((True,), TypeError, "pattern k must be an int, not True"),
        ((2, "1"), TypeError, "pattern keep must be an int, not '1'"),
        ((-1,), ValueError, "pattern k must be in 0..12, not -1"),
        ((13,), ValueError, "pattern k must be in 0..12, not 13"),
        ((2, 0), ValueError, "pattern keep must be in 1..4 at k = 2, not 0"),
        ((2, 5), ValueError, "pattern keep must be in 1..4 at k = 2, not 5"),
        ((9, 256), ValueError, "pattern keep must be in 1..255 at k = 9, not 256"),
    ],
)
def test_refused_patterns(arguments, error, text):
    with pytest.raises(error) as caught:
        Pattern(*arguments)
    assert str(caught.value) == text


@pytest.mark.parametrize("name", ["columns", "lanes", "align"])
def test_refused_segments(name):
    fields = {"columns": 1, "lanes": 1, "align": 1, name: 0}
    with pytest.raises(ValueError, match=rf"^segments {name} must be at least 1, not 0$"):
        Segments(**fields)
