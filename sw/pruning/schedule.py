"""The gradual schedule: how the ratio rises while the network trains."""

from __future__ import annotations


def ratio_at(step: int, *, steps: int, ratio: float) -> float:
    """Return the pruning ratio after `step` of `steps` optimizer steps.

    The pruned share of the weights follows the cubic ramp of Zhu and Gupta, "To prune, or not to
    prune", 2017: fast at first, while much is redundant, and slower towards the end. DARB's rule
    is applied at every ratio on the way, to the weights as they are then. Each mask is chosen anew:
    mostly among what the one before left, for pruned weights are zero, but where a row gets smaller
    blocks, or all of a block was pruned, a weight that was zero is kept and can grow again.

    Parameters
    ----------
    step : int
        At least 0; from `steps` on the ratio is `ratio` exactly.
    steps : int
        Length of the ramp; 0 is no ramp.
    ratio : float

    Examples
    --------
    >>> [round(ratio_at(step, steps=4, ratio=16), 2) for step in range(5)]
    [1.0, 2.18, 5.57, 12.96, 16]
    """
    if step >= steps:
        return ratio
    left = 1 - step / steps
    return 1 / (1 / ratio + (1 - 1 / ratio) * left**3)
