"""A section of a page that a program writes, between two marks."""

from __future__ import annotations

from collections.abc import Iterable


def with_section(page: str, name: str, section: Iterable[str]) -> str:
    """Return `page` with section `name` replaced, or added at its end."""
    begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->\n"
    before, mark, rest = page.partition(begin)
    after = rest.partition(end)[2] if mark else ""
    head = before if mark else before.rstrip("\n") + "\n\n"
    return head + begin + "".join(section) + end + after
