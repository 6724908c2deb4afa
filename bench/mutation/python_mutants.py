"""What can be changed in a Python file: cosmic-ray's operators at every place that computes."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.operators.operator import Operator
from cosmic_ray.operators.provider import OperatorProvider

_NEEDS_ARGUMENTS = ("VariableReplacer", "VariableInserter")
"""Operators that ask for a variable's name and draw at random outside our seed."""
_IDENTITY = ("Is", "IsNot")
_DEAD_LEAVES = ("name", "string", "newline", "endmarker", "fstring_string")
"""Leaves that no operator changes; most of a file."""
_PUNCTUATION_OF = ("parameters", "lambdef", "param", "arglist", "dictorsetmaker")
"""Where a star or slash is no operator."""


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """One change of one file.

    Parameters
    ----------
    file : str
        Path from the root of the tree.
    operator : str
        cosmic-ray's name.
    occurrence : int
        Which of the places of that operator in the file, counted as cosmic-ray does.
    place : tuple of int
        Line and column where the changed text begins and where it ends.
    first_line, last_line : int
        Lines of the statement, of a compound one those of its head up to the change.
    """

    file: str
    operator: str
    occurrence: int
    place: tuple[int, int, int, int]
    first_line: int
    last_line: int


@cache
def operators() -> dict[str, Operator]:
    """Return the operators that are used, by name.

    ``==`` and its like are not exchanged for ``is``: that would ask which small integers CPython
    keeps, not what the tests notice.
    """
    chosen = {}
    provider = OperatorProvider()
    for name in provider:
        if name in _NEEDS_ARGUMENTS:
            continue
        if name.startswith("ReplaceComparisonOperator"):
            _, before, after = name.split("_")
            if (before in _IDENTITY) != (after in _IDENTITY):
                continue
        chosen[name] = provider[name]()
    return chosen


def _is_exempt(node: object) -> bool:
    """Return whether `node` is in an annotation, or a star that is no operator."""
    if node.type == "operator" and node.parent.type in _PUNCTUATION_OF:
        return True
    while node.parent is not None:
        siblings = node.parent.children
        before = siblings[: siblings.index(node)]
        if before and node.parent.type in ("annassign", "tfpdef") and before[-1] == ":":
            return True
        if before and node.parent.type == "funcdef" and before[-1] == "->":
            return True
        node = node.parent
    return False


def _statement(node: object) -> tuple[int, int]:
    """Return the lines that run when the statement around `node` does."""
    inner = node
    while inner.parent is not None and inner.type != "simple_stmt":
        if inner.parent.type in ("suite", "file_input"):
            break
        inner = inner.parent
    last = inner.end_pos[0] if inner.type == "simple_stmt" else node.end_pos[0]
    # The line break that ends a statement is part of it.
    if inner.type == "simple_stmt" and inner.end_pos[1] == 0:
        last -= 1
    return inner.start_pos[0], last


def candidates(file: str, source: str) -> Iterator[Mutant]:
    """Yield every mutant of a file, in the order of its text.

    Docstrings, messages and ``__all__`` are strings, which no operator changes; annotations are
    left out. Some of the rest are no Python: `mutated` finds out.
    """
    seen: Counter[str] = Counter()
    for node in ast_nodes(get_ast(source)):
        if node.type in _DEAD_LEAVES:
            continue
        exempt = None
        for name, operator in operators().items():
            for start, end in operator.mutation_positions(node):
                occurrence = seen[name]
                seen[name] += 1
                if exempt is None:
                    exempt = _is_exempt(node)
                if not exempt:
                    first, last = _statement(node)
                    yield Mutant(
                        file=file,
                        operator=name,
                        occurrence=occurrence,
                        place=(*start, *end),
                        first_line=first,
                        last_line=max(last, start[0]),
                    )


def mutated(source: str, mutant: Mutant) -> str | None:
    """Return the changed source, None where it is no Python or the same."""
    changed = mutate_code(source, operators()[mutant.operator], mutant.occurrence)
    if changed is None or changed == source:
        return None
    try:
        compile(changed, mutant.file, "exec", dont_inherit=True)
    except SyntaxError:
        return None
    return changed


def change(source: str, changed: str) -> tuple[str, str]:
    """Return the lines that differ before and after, each as one line."""
    before, after = source.splitlines(), changed.splitlines()
    blocks = difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    old: list[str] = []
    new: list[str] = []
    for tag, i, j, k, n in blocks:
        if tag != "equal":
            old += before[i:j]
            new += after[k:n]
    one_line = (" ".join(" ".join(lines).split()) for lines in (old, new))
    return tuple(one_line)
