"""How long the mask of one large layer takes, by every magnitude method, beside torch's pruning.

Run it with ``python bench/mask_speed.py [size] [ratio]``: it prints, for a square layer of 4096
rows and columns at ratio 16, the fastest of five runs of each method in seconds, as a share of one
second, and as a multiple of ``torch.nn.utils.prune.l1_unstructured`` in the same run.
"""

import sys
import time
from collections.abc import Callable

import torch
from torch import nn
from torch.nn.utils import prune as torch_prune

from darb.sw.pruning import BankBalanced, Irregular, NOfM, SquareBlocks, Structured, mask

LIMIT = 1.0
RUNS = 5


def methods() -> dict[str, dict]:
    """Return the settings of what is measured, by the name that the table gives it."""
    found: dict[str, dict] = {
        "darb": {"method": "darb"},
        "darb, 1 to 4 a block": {"method": "darb", "max_keep": 4},
        "bmwm": {"method": "bmwm"},
        "irregular": {"method": Irregular()},
    }
    for unit in ("row", "column"):
        found[f"structured, {unit}"] = {"method": Structured(unit=unit)}
    for size in (2, 4, 8):
        found[f"block, {size} x {size}"] = {"method": SquareBlocks(size=size)}
    for m in (16, 64):
        found[f"n_m, of {m}"] = {"method": NOfM(m=m)}
    for banks in (8, 64):
        found[f"bank_balanced, {banks}"] = {"method": BankBalanced(banks=banks)}
    return found


def seconds(work: Callable[[], object]) -> float:
    """Return the shortest wall-clock time of some runs."""
    times = []
    for _ in range(RUNS):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return min(times)


def main() -> None:
    """Measure and print."""
    size = int(sys.argv[1]) if len(sys.argv) > 1 else 4096
    ratio = float(sys.argv[2]) if len(sys.argv) > 2 else 16.0
    weight = torch.randn(size, size, generator=torch.Generator().manual_seed(0))
    layer = nn.Linear(size, size, bias=False)

    def yardstick() -> None:
        layer.weight = nn.Parameter(weight)
        torch_prune.l1_unstructured(layer, "weight", amount=1 - 1 / ratio)
        torch_prune.remove(layer, "weight")

    base = seconds(yardstick)
    print(f"{size} x {size} at ratio {ratio:g}, fastest of {RUNS} runs")
    print(f"{'method':<22}{'seconds':>9}{'of limit':>10}{'of torch':>10}{'stored':>12}")
    print(f"{'torch l1_unstructured':<22}{base:>9.3f}{base / LIMIT:>10.0%}{1:>10.2f}")
    array = weight.numpy()
    for name, settings in methods().items():
        stored = mask(array, ratio=ratio, **settings).stored
        took = seconds(lambda settings=settings: mask(array, ratio=ratio, **settings))
        print(f"{name:<22}{took:>9.3f}{took / LIMIT:>10.0%}{took / base:>10.2f}{stored:>12,}")


if __name__ == "__main__":
    main()
