"""A clock as a user gives it, in MHz."""

from __future__ import annotations

import math


def clock_in_hz(megahertz: float | None) -> int | None:
    """Return a clock in Hz, None where none was given.

    Raises
    ------
    ValueError
        If it is no clock that any chip could have.
    """
    if megahertz is None:
        return None
    if not math.isfinite(megahertz) or not 0.1 <= megahertz <= 1000:
        raise ValueError(f"--clock must be in 0.1..1000 MHz, not {megahertz!r}")
    return round(megahertz * 1e6)
