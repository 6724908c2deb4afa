"""Arguments that are refused by name, rule and value, wherever they are taken."""

from __future__ import annotations

import math

MOST_LANES = 256
MOST_ROWS = 64
MOST_SEED = (1 << 63) - 1


def check_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    """Refuse a `value` that is none of `choices`."""
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a str, not {value!r}")
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}, not {value!r}")


def check_int(name: str, value: object, low: int, high: int | None = None) -> None:
    """Refuse a `value` that is no int of `low`..`high`."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be an int, not {value!r}")
    if value < low or (high is not None and value > high):
        rule = f"at least {low}" if high is None else f"in {low}..{high}"
        raise ValueError(f"{name} must be {rule}, not {value!r}")


def check_power_of_two(name: str, value: object, most: int) -> None:
    """Refuse a `value` that is no power of two of 1..`most`."""
    check_int(name, value, 1, most)
    if value & (value - 1):
        raise ValueError(f"{name} must be a power of two, not {value!r}")


def check_ratio(value: object) -> None:
    """Refuse a `value` that is no finite ratio of at least 1."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"ratio must be a number, not {value!r}")
    if not (math.isfinite(value) and value >= 1):
        raise ValueError(f"ratio must be finite and at least 1, not {value!r}")


def check_left_out(value: object) -> None:
    """Refuse a `value` that is no share of at least 0 and below 1, nor None, nor 'searched'."""
    if value is None or (isinstance(value, str) and value == "searched"):
        return
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"left_out must be a number, 'searched' or None, not {value!r}")
    if not 0 <= value < 1:
        raise ValueError(f"left_out must be at least 0 and below 1, not {value!r}")
