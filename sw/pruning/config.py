"""What to prune, and by which rules: one frozen, validated object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from darb.sw.pruning.method import Method
from darb.sw.pruning.methods import method_of
from darb.sw.pruning.pattern_choice import check_max_keep
from darb.sw.pruning.regular_blocks import ASSIGNMENTS, BUDGETS, REGULAR
from darb.sw.validation import (
    MOST_LANES,
    MOST_ROWS,
    MOST_SEED,
    check_choice,
    check_int,
    check_left_out,
    check_power_of_two,
    check_ratio,
)

SALIENCIES = ("magnitude", "activation", "fisher")
ORDERS = ("natural", "spread", "searched")


@dataclass(frozen=True, kw_only=True)
class LayerOverride:
    """What one layer does differently; None keeps the value of the `PruneConfig`.

    Parameters
    ----------
    ratio : float, optional
        The layer's own pruning ratio. It then has a budget of its own, and the layers without
        one share theirs.
    order : {'natural', 'spread', 'searched'}, optional
    left_out : float or 'searched', optional

    Raises
    ------
    TypeError
        If a field is of the wrong kind.
    ValueError
        If a field is out of its range.
    """

    ratio: float | None = None
    order: str | None = None
    left_out: float | str | None = None

    def __post_init__(self) -> None:
        if self.ratio is not None:
            check_ratio(self.ratio)
        if self.order is not None:
            check_choice("order", self.order, ORDERS)
        check_left_out(self.left_out)


@dataclass(frozen=True, kw_only=True)
class PruneConfig:
    """How a network is pruned.

    Parameters
    ----------
    ratio : float
        Weights of the network a stored weight, over all layers together: at most
        ``weights / ratio`` slots are spent. When `lanes` or `rows` is given, the slots that the
        engine pads count as spent. At ratio 1 every weight of a stored column stays, whatever the
        padding.
    method : str or Method
        DARB ('darb') gives every row a block size of its own, BMWM ('bmwm') gives a layer one.
        Both are given by name. The others are `Irregular` ('irregular'), `Structured`
        ('structured'), `SquareBlocks` ('block'), `NOfM` ('n_m') and `BankBalanced`
        ('bank_balanced'), by name with their defaults or as an object with settings of their own.
    assignment : {'energy', 'density', 'sensitivity'}
        How rows get their block sizes (see `darb.sw.pruning.assign`); for 'darb' and 'bmwm'.
        Sensitivity is energy with each row weighed by what the loss feels of it, measured once
        (see `darb.sw.pruning.row_sensitivity`): rows that matter to it get smaller blocks. Which
        weights of a block stay does not depend on it.
    budget : {'normalized', 'joint', 'uniform', 'searched'}
        How layers share the slots; for 'darb' and 'bmwm'. Normalized: each layer's squared scores
        are scaled to the sum 1, then all rows compete. Joint: they compete by their scores as
        measured, which fits saliency 'fisher', a loss in every layer. Uniform: each layer has the
        ratio for itself. Searched: as normalized, then the layers' scores are multiplied by
        factors, found once by search, that bring the pruned network's outputs nearest to the
        dense one's (see `darb.sw.pruning.searched_multipliers`).
    saliency : {'magnitude', 'activation', 'fisher'}
        What a weight is worth: ``|w|``, ``|w| * rms(x)`` with x the weight's input over
        calibration data, or ``|w| * rms(g)`` with g the gradient that the loss has to it there
        (see `darb.sw.pruning.gradient_rms`). Measured once, before anything is pruned.
    order : {'natural', 'spread', 'searched'}, optional
        Column order: the network's own with every column, a seeded random one that leaves out
        dead columns and the least salient, or one found from there by exchanging columns while
        the masks retain more squared saliency (see `darb.sw.pruning.column_orders`). It is chosen
        once; columns that are left out are pruned at once, before the ramp. By default spread for
        'darb' and 'bmwm', natural for the others; methods whose masks depend on no order take no
        other.
    left_out : float or 'searched', optional
        Share of each layer's columns that is left out, the least salient first. None leaves out
        none in natural order; in the other orders see `darb.sw.pruning.kept_columns`. Searched
        leaves out as many as retain most at the square root of the ratio; see
        `darb.sw.pruning.column_orders`.
    lanes : int, optional
        S of the engine. Blocks then restart at each of S segments, so that no slot is padding.
        None lets blocks run through the whole row, for an engine not yet known. For 'darb',
        'bmwm' and 'n_m'.
    rows : int, optional
        R of the engine. Block sizes then go to R rows at a time, so that no row slot stays empty.
        For methods with row patterns.
    max_k : int
        Largest block size of 'darb' and 'bmwm' is ``2**max_k`` columns.
    max_keep : int
        Most weights that a block of 'darb' and 'bmwm' keeps; 1 as in the paper. With more, rows
        choose among patterns of different counts too (see `darb.sw.pruning.assign`); for
        assignments by energy.
    seed : int
        Of the spread order and of the search.
    ramp_steps : int
        Optimizer steps over which the ratio rises from 1 to `ratio`; 0 prunes at once.
    ramp_every : int
        Optimizer steps from one new mask to the next on the way, and while masks move.
    regrow_steps : int
        Optimizer steps after the ramp in which masks still move at the config's ratio: the least
        salient weights make room for those that the loss asks for (see
        `darb.sw.pruning.regrowth_scores`). For methods that choose weights one by one.
    layers : mapping of str to LayerOverride
        Overrides by layer name, as in ``model.named_modules()``; a recurrent matrix is named as in
        ``model.named_parameters()``.

    Raises
    ------
    TypeError
        If a field is of the wrong kind.
    ValueError
        If a field is out of its range.
    """

    ratio: float
    method: str | Method = "darb"
    assignment: str = "energy"
    budget: str = "normalized"
    saliency: str = "activation"
    order: str | None = None
    left_out: float | str | None = None
    lanes: int | None = None
    rows: int | None = None
    max_k: int = 6
    max_keep: int = 1
    seed: int = 0
    ramp_steps: int = 0
    ramp_every: int = 50
    regrow_steps: int = 0
    layers: Mapping[str, LayerOverride] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        check_ratio(self.ratio)
        check_choice("assignment", self.assignment, ASSIGNMENTS)
        check_choice("budget", self.budget, BUDGETS)
        check_choice("saliency", self.saliency, SALIENCIES)
        if self.assignment == "sensitivity" and self.saliency == "fisher":
            raise ValueError(
                "assignment must be energy or density for saliency 'fisher', which weighs rows "
                f"already, not {self.assignment!r}"
            )
        if self.order is not None:
            check_choice("order", self.order, ORDERS)
        check_left_out(self.left_out)
        if self.lanes is not None:
            check_power_of_two("lanes", self.lanes, MOST_LANES)
        if self.rows is not None:
            check_power_of_two("rows", self.rows, MOST_ROWS)
        check_int("max_k", self.max_k, 0, 12)
        check_max_keep(self.max_keep, assignment=self.assignment)
        rule = self.rule
        check_int("seed", self.seed, 0, MOST_SEED)
        check_int("ramp_steps", self.ramp_steps, 0)
        check_int("ramp_every", self.ramp_every, 1)
        check_int("regrow_steps", self.regrow_steps, 0)
        if self.regrow_steps and not rule.single:
            raise ValueError(
                f"regrow_steps must be 0 for method {rule.name}, which keeps no weight alone, "
                f"not {self.regrow_steps!r}"
            )
        if not isinstance(self.layers, Mapping):
            raise TypeError(f"layers must be a mapping, not {self.layers!r}")
        for name, override in self.layers.items():
            if not isinstance(name, str):
                raise TypeError(f"layers must be keyed by layer name, not {name!r}")
            if not isinstance(override, LayerOverride):
                raise TypeError(f"layers[{name!r}] must be a LayerOverride, not {override!r}")
        object.__setattr__(self, "layers", dict(self.layers))
        rule.check_engine(lanes=self.lanes, rows=self.rows)
        if not rule.ordered:
            for source in (self, *self.layers.values()):
                if source.order not in (None, "natural"):
                    raise ValueError(
                        f"order must be natural for method {rule.name}, not {source.order!r}"
                    )
                if source.left_out:
                    raise ValueError(
                        f"left_out must be left out for method {rule.name}, not {source.left_out!r}"
                    )

    @property
    def rule(self) -> Method:
        """The method, with its settings."""
        return method_of(
            self.method,
            assignment=self.assignment,
            budget=self.budget,
            max_k=self.max_k,
            max_keep=self.max_keep,
        )

    @property
    def calibrated(self) -> str | None:
        """The setting that needs calibration data, for messages; None if none does."""
        if self.saliency != "magnitude":
            return f"saliency {self.saliency!r}"
        if self.assignment == "sensitivity":
            return f"assignment {self.assignment!r}"
        return f"budget {self.budget!r}" if self.budget == "searched" else None

    @property
    def needs_gradients(self) -> bool:
        """Whether masks are chosen by what the loss feels of weights."""
        return self.saliency == "fisher" or self.assignment == "sensitivity"

    def order_of(self, name: str) -> str:
        """Return the column order of layer `name`."""
        override = self.layers.get(name)
        if override is not None and override.order is not None:
            return override.order
        if self.order is not None:
            return self.order
        return "spread" if self.rule.name in REGULAR else "natural"

    def left_out_of(self, name: str) -> float | str | None:
        """Return the share of columns that layer `name` leaves out; see the class."""
        override = self.layers.get(name)
        if override is None or override.left_out is None:
            return self.left_out
        return override.left_out

    def own_ratio_of(self, name: str) -> float | None:
        """Return the ratio that layer `name` has for itself, None where it shares the budget."""
        override = self.layers.get(name)
        return None if override is None else override.ratio
