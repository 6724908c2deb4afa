"""Rival engines: one layer each, in another storage format, on the same numbers and streams.

Each rival X is, in this order:

- ``XConfig(BaselineConfig)``: what fixes its Verilog; ``memory_shapes`` names its memories;
- ``fit_x(layer, multipliers=...)``: the smallest such config for an `IntegerLayer`;
- ``pack_x(layer, config)``: a `BaselineImage`, the layer in those memories;
- ``XModel(image)``, a `BaselineModel`: ``run`` gives the words, ``timeline`` the clock of every
  beat under any stall of either stream, ``outcome`` latency, interval and utilisation;
- ``darb.hw.baselines.XEngine(config=..., memories=...)``: the component, with the stream ends
  `i` and `o` of `darb.hw.engine.Engine`.

A rival's model says only which matrix its memories hold and how its core spends clocks (`Walk`),
its engine only what stands between the vector loader and the row collector (`BaselineEngine`).
"""

from darb.golden.baselines.balanced_order import balanced_order
from darb.golden.baselines.bsr import BsrConfig, BsrModel, fit_bsr, pack_bsr
from darb.golden.baselines.config import BaselineConfig
from darb.golden.baselines.csr import CsrConfig, CsrModel, fit_csr, pack_csr
from darb.golden.baselines.image import BaselineImage
from darb.golden.baselines.model import BaselineModel, Outcome, Transfers
from darb.golden.baselines.relative_csc import (
    RelativeCscConfig,
    fit_relative_csc,
    pack_relative_csc,
)
from darb.golden.baselines.relative_csc_model import RelativeCscModel

__all__ = [
    "BaselineConfig",
    "BaselineImage",
    "BaselineModel",
    "BsrConfig",
    "BsrModel",
    "CsrConfig",
    "CsrModel",
    "Outcome",
    "RelativeCscConfig",
    "RelativeCscModel",
    "Transfers",
    "balanced_order",
    "fit_bsr",
    "fit_csr",
    "fit_relative_csc",
    "pack_bsr",
    "pack_csr",
    "pack_relative_csc",
]
