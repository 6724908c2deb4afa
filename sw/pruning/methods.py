"""The pruning methods by name."""

from __future__ import annotations

from darb.sw.pruning.bank_balanced import BankBalanced
from darb.sw.pruning.irregular import Irregular
from darb.sw.pruning.method import Method
from darb.sw.pruning.n_of_m import NOfM
from darb.sw.pruning.regular_blocks import REGULAR, RegularBlocks
from darb.sw.pruning.square_blocks import SquareBlocks
from darb.sw.pruning.structured import Structured
from darb.sw.validation import check_choice

# What 'darb' and 'bmwm' are told beside their names, and what it must be for the others.
_UNUSED = {"assignment": ("energy", "density"), "budget": ("normalized",), "max_keep": (1,)}
_RIVALS = {kind.name: kind for kind in (Irregular, Structured, SquareBlocks, NOfM, BankBalanced)}
METHODS = (*REGULAR, *_RIVALS)


def method_of(
    value: object,
    *,
    assignment: str = "energy",
    budget: str = "normalized",
    max_k: int = 6,
    max_keep: int = 1,
) -> Method:
    """Return the method that `value` names, or is.

    Parameters
    ----------
    value : str or Method
        A name stands for the method with its own defaults.
    assignment, budget, max_k, max_keep
        For 'darb' and 'bmwm', which take their settings from here alone.

    Raises
    ------
    TypeError
        If `value` is neither, or a `RegularBlocks`, which has these settings a second time.
    ValueError
        If there is no method of that name, or a setting is given that it has no use for.
    """
    if isinstance(value, RegularBlocks):
        raise TypeError(
            "method must be 'darb' or 'bmwm' by name, with its settings beside the name, "
            f"not {value!r}"
        )
    if isinstance(value, Method):
        rule = value
    else:
        check_choice("method", value, METHODS)
        if value in REGULAR:
            return RegularBlocks(
                name=value, assignment=assignment, budget=budget, max_k=max_k, max_keep=max_keep
            )
        rule = _RIVALS[value]()
    given = {"assignment": assignment, "budget": budget, "max_keep": max_keep}
    for name, usual in _UNUSED.items():
        if given[name] not in usual:
            raise ValueError(f"{name} must be left out for method {rule.name}, not {given[name]!r}")
    return rule
