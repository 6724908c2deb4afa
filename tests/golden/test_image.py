import pytest

from darb.golden.image import shorten


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a" * 300, "a" * 300),
        ("a" * 301, "a" * 297 + "..."),
        ("a\x1b[2J\n", "a\\x1b[2J\\n"),
        ("\0" * 75, "\\x00" * 75),
        ("\0" * 76, "\\x00" * 74 + "\\..."),
    ],
)
def test_what_a_message_shows_of_a_text_is_printable_and_not_long(text, shown):
    assert shorten(text) == shown
