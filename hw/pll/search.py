"""Choosing among all settings of a PLL, for one input and one output frequency."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import Protocol, TypeVar

_PER_MILLE = 5


class Settings(Protocol):
    """Settings of a PLL, whichever family's; frequencies are exact, in Hz."""

    @property
    def pfd_hz(self) -> Fraction:
        """Frequency at which the loop compares its input with its output."""

    @property
    def vco_hz(self) -> Fraction:
        """Frequency of the oscillator."""

    @property
    def output_hz(self) -> Fraction:
        """Frequency reached."""


_S = TypeVar("_S", bound=Settings)


def check_frequency(name: str, value: int, limits: tuple[int, int]) -> None:
    """Refuse a frequency outside `limits`, both in Hz and allowed.

    Raises
    ------
    TypeError
        If `value` is no int.
    ValueError
        If it is out of range.
    """
    low, high = limits
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be an int, not {value!r}")
    if not low <= value <= high:
        raise ValueError(f"{name} must be in {low}..{high}, not {value!r}")


def either_side(vco: Fraction, output_hz: int, highest: int) -> tuple[int, ...]:
    """Return the dividers, 1 to `highest`, that bring `vco` just above and just below the output.

    No other divider of the same oscillator comes nearer.
    """
    below = min(max(int(vco / output_hz), 1), highest)
    return below, min(below + 1, highest)


def nearest(candidates: Iterable[_S], output_hz: int, vco_hz: tuple[int, int]) -> _S:
    """Return the settings that come nearest to `output_hz`.

    Among equals, those that compare most often win, for the loop then follows its input best, and
    then those whose oscillator is farthest from its limits.

    Parameters
    ----------
    candidates : iterable of Settings
        All that the vendor allows; at least one.
    output_hz : int
    vco_hz : (int, int)
        The oscillator's limits.

    Raises
    ------
    ValueError
        If none is within 0.5 %; names the nearest.
    """
    middle = Fraction(sum(vco_hz), 2)
    best = min(
        candidates,
        key=lambda it: (abs(it.output_hz - output_hz), -it.pfd_hz, abs(it.vco_hz - middle)),
    )
    if abs(best.output_hz - output_hz) * 1000 > _PER_MILLE * output_hz:
        raise ValueError(
            f"output_hz must be within 0.5 % of a frequency that the PLL reaches, the nearest is "
            f"{float(best.output_hz):.0f}, not {output_hz!r}"
        )
    return best
