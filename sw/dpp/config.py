"""How a network is pruned by DPP: one frozen, validated object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from darb.sw.dpp.annealing import CURVES
from darb.sw.dpp.relaxation import REMOVALS, check_temperature
from darb.sw.dpp.unit_rows import GRANULARITIES, check_tiling
from darb.sw.dpp.weight_quantizer import check_bits
from darb.sw.validation import MOST_SEED, check_choice, check_int, check_ratio

STARTS = ("even", "magnitude")


@dataclass(frozen=True, kw_only=True)
class DppLayerRule:
    """What one layer chooses among, and how many units of each row it keeps.

    Parameters
    ----------
    granularity : {'weights', 'tiles', 'kernels', 'maps'}
        See `darb.sw.dpp.unit_rows`.
    keep : int, optional
        k, units that each row keeps; at most its n. Shorter tiles keep ``min(keep, width)``.
    ratio : float, optional
        n / k instead of k, at least 1: each row keeps ``max(1, round(n / ratio))`` of its n units
        (of the whole tile's, in 'tiles'). One of the two must be given.
    tile, lanes : int, optional
        For 'tiles'; see `darb.sw.dpp.unit_rows`.

    Raises
    ------
    TypeError
        If a field is of the wrong kind, or both or none of `keep` and `ratio` are given.
    ValueError
        If a field is out of its range.
    """

    granularity: str = "weights"
    keep: int | None = None
    ratio: float | None = None
    tile: int | None = None
    lanes: int | None = None

    def __post_init__(self) -> None:
        check_choice("granularity", self.granularity, GRANULARITIES)
        check_tiling(self.granularity, tile=self.tile, lanes=self.lanes)
        if (self.keep is None) == (self.ratio is None):
            raise TypeError(
                f"one of keep and ratio must be given, not {self.keep!r} and {self.ratio!r}"
            )
        if self.keep is not None:
            check_int("keep", self.keep, 1, self.tile)
        else:
            check_ratio(self.ratio)

    def kept_of(self, units: int) -> int:
        """Return k for rows of n = `units`.

        Raises
        ------
        ValueError
            If there are fewer than `keep`.
        """
        if self.keep is None:
            return max(1, round(units / self.ratio))
        if self.tile is not None:
            return min(self.keep, units)
        check_int("keep", self.keep, 1, units)
        return self.keep


@dataclass(frozen=True, kw_only=True)
class DppConfig(DppLayerRule):
    """How a network is pruned by DPP.

    The rule is that of every Linear and Conv2d layer, with two exceptions unless `layers` says
    otherwise: under 'kernels' and 'maps' Linear layers stay dense, and under 'maps' so does the
    last layer, whose rows are the network's outputs.

    Of the paper (Gonzalez-Carabarin et al., 2021; its abstract is at hand, the rest is not) are
    the granularities, the draw of exactly k of n with the Gumbel-softmax relaxation, and training
    together with quantised weights. The temperatures and that an entropy penalty is used are
    published settings as we were told them. Our choices are the defaults of `curve`, `entropy`,
    `removal`, `start` and `frozen_epochs`.

    Parameters
    ----------
    granularity, keep, ratio, tile, lanes
        See `DppLayerRule`.
    epochs : int
        Of the training, the frozen ones included.
    frozen_epochs : int
        The last so many train under the mask without noise; 0 draws to the end.
    start_temperature, end_temperature : float
        In the first and in the last epoch that draws.
    curve : {'exponential', 'linear'}
        Between them.
    entropy : float
        Weight of the entropy penalty, at least 0.
    removal : {'hard', 'soft'}
        See `darb.sw.dpp.relaxed_top_k`.
    start : {'even', 'magnitude'}
        Of the logits; see `darb.sw.dpp.starting_logits`.
    bits : int, optional
        Weights are trained as numbers of so many bits, 1 being binary; left out, they stay real.
        See `darb.sw.dpp.quantize_weight`.
    seed : int
        Of the draws.
    layers : mapping of str to DppLayerRule
        Layers with a rule of their own. ``DppLayerRule(ratio=1)`` leaves a layer dense.

    Raises
    ------
    TypeError, ValueError
        If a field is of the wrong kind or out of its range.
    """

    epochs: int
    frozen_epochs: int = 0
    start_temperature: float = 5.0
    end_temperature: float = 0.5
    curve: str = "exponential"
    entropy: float = 0.01
    removal: str = "hard"
    start: str = "even"
    bits: int | None = None
    seed: int = 0
    layers: Mapping[str, DppLayerRule] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_int("epochs", self.epochs, 1)
        check_int("frozen_epochs", self.frozen_epochs, 0, self.epochs - 1)
        check_temperature("start_temperature", self.start_temperature)
        check_temperature("end_temperature", self.end_temperature)
        check_choice("curve", self.curve, CURVES)
        if isinstance(self.entropy, bool) or not isinstance(self.entropy, int | float):
            raise TypeError(f"entropy must be a number, not {self.entropy!r}")
        if not 0 <= self.entropy < float("inf"):
            raise ValueError(f"entropy must be finite and at least 0, not {self.entropy!r}")
        check_choice("removal", self.removal, REMOVALS)
        check_choice("start", self.start, STARTS)
        check_bits(self.bits)
        check_int("seed", self.seed, 0, MOST_SEED)
        if not isinstance(self.layers, Mapping):
            raise TypeError(f"layers must be a mapping, not {self.layers!r}")
        for name, rule in self.layers.items():
            if not isinstance(name, str):
                raise TypeError(f"layers must be keyed by layer name, not {name!r}")
            if type(rule) is not DppLayerRule:
                raise TypeError(f"layers[{name!r}] must be a DppLayerRule, not {rule!r}")
        object.__setattr__(self, "layers", dict(self.layers))

    @property
    def drawing_epochs(self) -> int:
        """Epochs in which masks are drawn."""
        return self.epochs - self.frozen_epochs

    def rule_of(self, name: str, *, linear: bool, last: bool) -> DppLayerRule:
        """Return the rule of layer `name`."""
        if name in self.layers:
            return self.layers[name]
        if (linear and self.granularity in ("kernels", "maps")) or (
            last and self.granularity == "maps"
        ):
            return DppLayerRule(ratio=1)
        return self
