"""How long packing, unpacking and golden inference of one large layer take, beside SciPy.

Run it with ``python bench/packing_speed.py [size] [ratio]``: for a square layer of 4096 rows and
columns, pruned by DARB to ratio 16 and packed for 32 x 4 multipliers, it prints the fastest of
seven runs in seconds, and as a multiple of what SciPy takes in the same run: the CSR matrix from
the dense one, or its product with 256 vectors. SciPy has its data as suits it best, int8 weights to
build from and int32 to multiply; both run on one thread. The image and the sums are first compared
with the network and SciPy's sums, exactly. At last it generates the Verilog of an engine of the
same shape. Its CPU seconds, which other programs on the machine change less, count the yosys that
Amaranth starts as well.
"""

import hashlib
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from darb.golden import (
    EngineModel,
    Image,
    IntegerLayer,
    IntegerNetwork,
    fit_config,
    pack,
    read_image,
    unpack,
    write_image,
)
from darb.golden.bitfields import from_hex, to_hex
from darb.golden.memory_map import memory_shapes
from darb.hw.verilog import generate_verilog
from darb.sw.pruning import mask

LANES, ROWS = 32, 4
VECTORS = 256
RUNS = 7
VERILOG_RUNS = 3
VERILOG_LIMIT = 5.0
BUILD, PRODUCT = "scipy csr_array(W)", "scipy W_csr @ X"
LIMITS = {"fit_config + pack": 2.0, "EngineModel.run": 1.0}


def network(size: int, ratio: float, columns: NDArray[np.int32] | None = None) -> IntegerNetwork:
    """Return one random layer; its rows differ in scale, as those of a trained one do."""
    rng = np.random.default_rng(0)
    real = rng.standard_normal((size, size)) * np.exp(0.5 * rng.standard_normal((size, 1)))
    pruned = mask(real, ratio=ratio, columns=columns)
    kept = real * pruned.mask
    largest = np.abs(kept).max(axis=1, keepdims=True)
    layer = IntegerLayer(
        name="fc",
        weights=np.rint(kept * 127 / np.where(largest, largest, 1)).astype(np.int8),
        bias=rng.integers(-9999, 10000, size),
        multiplier=rng.integers(1 << 15, 1 << 16, size),
        shift=np.full(size, 24),
        relu=False,
        patterns=pruned.patterns,
        columns=pruned.columns,
        align=pruned.align,
    )
    return IntegerNetwork(layers=(layer,))


def spelled(image: Image) -> dict[str, bytes]:
    """Return the text of every memory."""
    shapes = memory_shapes(image.config)
    return {name: to_hex(words, shapes[name][1]) for name, words in image.memories.items()}


def jobs(size: int, ratio: float, directory: Path) -> dict[str, tuple[Callable[[], object], str]]:
    """Return what is timed and its yardstick by name, once each result is compared with SciPy's."""
    plain = network(size, ratio)
    order = np.random.default_rng(1).permutation(size).astype(np.int32)
    mixed = network(size, ratio, columns=order)
    weights = plain.layers[0].weights
    image = pack(plain, fit_config(plain, lanes=LANES, rows=ROWS))
    model = EngineModel(image)
    vectors = np.random.default_rng(2).integers(-128, 128, (VECTORS, size))
    matrix = scipy.sparse.csr_array(weights).astype(np.int32)
    columns = np.ascontiguousarray(vectors.T.astype(np.int32))
    exact = (matrix @ columns).T + plain.layers[0].bias
    if not (model.run(vectors) == exact).all():
        raise SystemExit("the golden product must be SciPy's, but it is not")
    if unpack(image) != plain or read_image(write_image(image, directory)).digest != image.digest:
        raise SystemExit("the image must give the network back, but it does not")
    shapes = memory_shapes(image.config)
    texts = spelled(image)

    def packed(of: IntegerNetwork) -> Image:
        return pack(of, fit_config(of, lanes=LANES, rows=ROWS))

    def parsed() -> None:
        for name, (depth, width) in shapes.items():
            from_hex(texts[name], width, depth)

    def hashed() -> None:
        for text in texts.values():
            hashlib.sha256(text).digest()

    return {
        BUILD: (lambda: scipy.sparse.csr_array(weights), BUILD),
        "fit_config + pack": (lambda: packed(plain), BUILD),
        "  fit_config alone": (lambda: fit_config(plain, lanes=LANES, rows=ROWS), BUILD),
        "  in a column order": (lambda: packed(mixed), BUILD),
        "unpack, verified": (lambda: unpack(image), BUILD),
        "to_hex": (lambda: spelled(image), BUILD),
        "from_hex": (parsed, BUILD),
        "SHA-256 of the text": (hashed, BUILD),
        "write_image": (lambda: write_image(image, directory), BUILD),
        "read_image": (lambda: read_image(directory), BUILD),
        "EngineModel, one vector": (lambda: EngineModel(image).run(vectors[:1]), BUILD),
        PRODUCT: (lambda: matrix @ columns, PRODUCT),
        "EngineModel.run": (lambda: model.run(vectors), PRODUCT),
    }


def processor_seconds() -> float:
    """Return the CPU time of this process and of those it has waited for."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def main() -> None:
    """Measure and print."""
    size = int(sys.argv[1]) if len(sys.argv) > 1 else 4096
    ratio = float(sys.argv[2]) if len(sys.argv) > 2 else 16.0
    fastest: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as directory:
        timed = jobs(size, ratio, Path(directory) / "image")
        for _ in range(RUNS):
            # Job after job: whatever else the machine does then slows all of them alike.
            for name, (work, _) in timed.items():
                began = time.perf_counter()
                work()
                took = time.perf_counter() - began
                fastest[name] = min(took, fastest.get(name, took))
    print(f"{size} x {size} at ratio {ratio:g}, {VECTORS} vectors, fastest of {RUNS} runs")
    print(f"{'work':<26}{'seconds':>9}{'of scipy':>10}{'limit':>7}")
    for name, (_, yardstick) in timed.items():
        limit = f"{LIMITS[name]:.1f}" if name in LIMITS else ""
        share = fastest[name] / fastest[yardstick]
        print(f"{name:<26}{fastest[name]:>9.4f}{share:>10.2f}{limit:>7}")
    net = network(256, ratio)
    config = fit_config(net, lanes=LANES, rows=ROWS)
    walls, spent = [], []
    for _ in range(VERILOG_RUNS):
        began, before = time.perf_counter(), processor_seconds()
        text = generate_verilog(config)
        walls.append(time.perf_counter() - began)
        spent.append(processor_seconds() - before)
    print(
        f"Verilog of {config.multipliers} multipliers, {len(text):,} characters: "
        f"{min(walls):.2f} s, {min(spent):.2f} s of CPU, limit {VERILOG_LIMIT:g} s"
    )


if __name__ == "__main__":
    main()
