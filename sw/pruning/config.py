"""What to prune, and by which rules: one frozen, validated object."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

METHODS = ("darb", "bmwm")
ASSIGNMENTS = ("energy", "density")
SALIENCIES = ("magnitude", "activation")
ORDERS = ("natural", "spread")
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


def check_ratio(value: object) -> None:
    """Refuse a `value` that is no finite ratio of at least 1."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"ratio must be a number, not {value!r}")
    if not (math.isfinite(value) and value >= 1):
        raise ValueError(f"ratio must be finite and at least 1, not {value!r}")


def check_left_out(value: object) -> None:
    """Refuse a `value` that is neither None nor a share of at least 0 and below 1."""
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"left_out must be a number or None, not {value!r}")
    if not 0 <= value < 1:
        raise ValueError(f"left_out must be at least 0 and below 1, not {value!r}")


@dataclass(frozen=True, kw_only=True)
class LayerOverride:
    """What one layer does differently; None keeps the value of the `PruneConfig`.

    Parameters
    ----------
    ratio : float, optional
        The layer's own pruning ratio. It then has a budget of its own, and the layers without
        one share theirs.
    order : {'natural', 'spread'}, optional
    left_out : float, optional
        Share of the columns that is left out.

    Raises
    ------
    TypeError
        If a field is of the wrong kind.
    ValueError
        If a field is out of its range.
    """

    ratio: float | None = None
    order: str | None = None
    left_out: float | None = None

    def __post_init__(self) -> None:
        if self.ratio is not None:
            check_ratio(self.ratio)
        if self.order is not None:
            check_choice("order", self.order, ORDERS)
        check_left_out(self.left_out)


@dataclass(frozen=True, kw_only=True)
class PruneConfig:
    """How a network is pruned to regular blocks.

    Parameters
    ----------
    ratio : float
        Weights of the network a stored weight, over all layers together: at most
        ``weights / ratio`` slots are spent. When `lanes` or `rows` is given, the slots that the
        engine pads count as spent. At ratio 1 every weight of a stored column stays, whatever the
        padding.
    method : {'darb', 'bmwm'}
        DARB gives every row a block size of its own, BMWM gives a layer one.
    assignment : {'energy', 'density'}
        How rows get their block sizes (see `darb.sw.pruning.assign`).
    saliency : {'magnitude', 'activation'}
        What a weight is worth: ``|w|``, or ``|w| * rms(x)`` with x the weight's input over
        calibration data, measured once, before anything is pruned.
    order : {'natural', 'spread'}
        Column order: the network's own with every column, or a seeded random one that leaves out
        dead columns and the least salient. It is chosen once; columns that are left out are
        pruned at once, before the ramp.
    left_out : float, optional
        Share of each layer's columns that is left out, the least salient first. None leaves out
        none in natural order; in spread order see `darb.sw.pruning.kept_columns`.
    lanes : int, optional
        S of the engine. Blocks then restart at each of S segments, so that no slot is padding.
        None lets blocks run through the whole row, for an engine not yet known.
    rows : int, optional
        R of the engine. Block sizes then go to R rows at a time, so that no row slot stays empty.
    max_k : int
        Largest block size is ``2**max_k`` columns.
    seed : int
        Of the spread order.
    ramp_steps : int
        Optimizer steps over which the ratio rises from 1 to `ratio`; 0 prunes at once.
    ramp_every : int
        Optimizer steps from one new mask to the next on the way.
    layers : mapping of str to LayerOverride
        Overrides by layer name, as in ``model.named_modules()``.

    Raises
    ------
    TypeError
        If a field is of the wrong kind.
    ValueError
        If a field is out of its range.
    """

    ratio: float
    method: str = "darb"
    assignment: str = "energy"
    saliency: str = "activation"
    order: str = "spread"
    left_out: float | None = None
    lanes: int | None = None
    rows: int | None = None
    max_k: int = 6
    seed: int = 0
    ramp_steps: int = 0
    ramp_every: int = 50
    layers: Mapping[str, LayerOverride] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        check_ratio(self.ratio)
        check_choice("method", self.method, METHODS)
        check_choice("assignment", self.assignment, ASSIGNMENTS)
        check_choice("saliency", self.saliency, SALIENCIES)
        check_choice("order", self.order, ORDERS)
        check_left_out(self.left_out)
        if self.lanes is not None:
            check_int("lanes", self.lanes, 1, 256)
        if self.rows is not None:
            check_int("rows", self.rows, 1, 64)
        check_int("max_k", self.max_k, 0, 12)
        check_int("seed", self.seed, 0, MOST_SEED)
        check_int("ramp_steps", self.ramp_steps, 0)
        check_int("ramp_every", self.ramp_every, 1)
        if not isinstance(self.layers, Mapping):
            raise TypeError(f"layers must be a mapping, not {self.layers!r}")
        for name, override in self.layers.items():
            if not isinstance(name, str):
                raise TypeError(f"layers must be keyed by layer name, not {name!r}")
            if not isinstance(override, LayerOverride):
                raise TypeError(f"layers[{name!r}] must be a LayerOverride, not {override!r}")
        object.__setattr__(self, "layers", dict(self.layers))

    def order_of(self, name: str) -> str:
        """Return the column order of layer `name`."""
        override = self.layers.get(name)
        return self.order if override is None or override.order is None else override.order

    def left_out_of(self, name: str) -> float | None:
        """Return the share of columns that layer `name` leaves out."""
        override = self.layers.get(name)
        if override is None or override.left_out is None:
            return self.left_out
        return override.left_out

    def own_ratio_of(self, name: str) -> float | None:
        """Return the ratio that layer `name` has for itself, None where it shares the budget."""
        override = self.layers.get(name)
        return None if override is None else override.ratio
