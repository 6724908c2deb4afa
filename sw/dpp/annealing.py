"""The temperature of the relaxation, epoch by epoch.

That it falls from 5 to 0.5 by epoch is the published setting as we were told it; along which curve
is our choice, for we do not have the paper at hand.
"""

from __future__ import annotations

from darb.sw.dpp.relaxation import check_temperature
from darb.sw.validation import check_choice, check_int

CURVES = ("exponential", "linear")


def temperature_at(
    epoch: int, *, epochs: int, start: float = 5.0, end: float = 0.5, curve: str = "exponential"
) -> float:
    """Return the temperature of an epoch: `start` in the first, `end` in the last, both exactly.

    Parameters
    ----------
    epoch : int
        From 0; after the last the temperature stays.
    epochs : int
        A single epoch has temperature `end`.
    start, end : float
        Above 0.
    curve : {'exponential', 'linear'}

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong kind or out of its range.
    """
    check_int("epoch", epoch, 0)
    check_int("epochs", epochs, 1)
    check_temperature("start", start)
    check_temperature("end", end)
    check_choice("curve", curve, CURVES)
    if epoch + 1 >= epochs:
        return float(end)
    if not epoch:
        return float(start)
    share = epoch / (epochs - 1)
    if curve == "linear":
        return start + (end - start) * share
    return start * (end / start) ** share
