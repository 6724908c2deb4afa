"""PyTorch in, packed image out: pruning, quantisation, export, reports and the command line.

Names are imported when they are first asked for, so that ``import darb.sw.cli`` loads neither
torch nor Amaranth.
"""

from __future__ import annotations

import importlib

_HOMES = {
    "Folding": "darb.sw.folding",
    "ImageReport": "darb.sw.inspection",
    "PruneConfig": "darb.sw.pruning",
    "PrunedModel": "darb.sw.pruning",
    "Pruner": "darb.sw.pruning",
    "choose_folding": "darb.sw.folding",
    "export": "darb.sw.exporting",
    "inspect_image": "darb.sw.inspection",
    "load_exported": "darb.sw.exported_program",
    "mask": "darb.sw.pruning",
    "prune": "darb.sw.pruning",
    "quantize": "darb.sw.quantization",
    "quantize_input": "darb.sw.quantization",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
