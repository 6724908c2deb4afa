"""The designs that are mutated: together they hold every module of generated Verilog."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from benches import (
    Bench,
    cocotbext_bench,
    frames_bench,
    loading_bench,
    registers_bench,
    stream_bench,
)
from board_frames import board_core, board_job
from mutant_build import MUTATED
from numpy.typing import NDArray
from random_networks import random_network, random_vectors, reference
from register_values import of_another_version, registers_job

from darb.golden import (
    Image,
    IntegerLayer,
    IntegerNetwork,
    OutputMode,
    Storage,
    fit_config,
    pack,
    schedule,
)
from darb.hw import Disturbance
from darb.hw.verilog import TOP, component_verilog, generate_verilog

SEED = 1


@dataclass(frozen=True, kw_only=True)
class Design:
    """Verilog, the benches that run on it, and its share of the mutants.

    Parameters
    ----------
    name, verilog : str
    benches : tuple of Bench
        In the order in which a mutant meets them.
    share : float
        Of all mutants.
    modules : str
        Selection of yosys: the modules to change; by default all.
    kept : tuple of str
        Modules of memories that stay as they are.
    """

    name: str
    verilog: str
    benches: tuple[Bench, ...]
    share: float
    modules: str = ""
    kept: tuple[str, ...] = ("darb_rom",)


_WEIGHT_BITS = 8
_ROOM = {
    "index_depth": 200,
    "row_depth": 128,
    "layer_depth": 40,
    "input_depth": 33,
    "hidden_depth": 24,
    "output_depth": 12,
    "accumulator_bits": 26,
}


def _images(
    seed: int,
    shapes: Sequence[Sequence[int]],
    *,
    ks: Sequence[int],
    keeps: Sequence[int] = range(1, 5),
    small: bool = False,
    **fields,
) -> list[tuple[IntegerNetwork, Image]]:
    """Return networks of these shapes, every block size mixed, and images of one config.

    With `small` weights the lowest bits of sums and products count.
    """
    rng = np.random.default_rng(seed)
    pairs = []
    for sizes in shapes:
        network = random_network(
            rng,
            sizes,
            ks=ks,
            keeps=keeps,
            lanes=fields["lanes"],
            spare_columns=0.2,
            weight_bits=2 if small else _WEIGHT_BITS,
        )
        layers = tuple(_with_small_shifts(layer, rng) for layer in network.layers)
        network = dataclasses.replace(network, layers=layers, weight_bits=_WEIGHT_BITS)
        config = fit_config(network, **{"max_k": max(ks), **_ROOM, **fields})
        pairs.append((network, pack(network, config)))
    return pairs


def _with_small_shifts(layer: IntegerLayer, rng: np.random.Generator) -> IntegerLayer:
    """Give rows that are 0 small shifts, so that any bit of their product would be seen."""
    small = rng.integers(1, 9, len(layer.shift)).astype(layer.shift.dtype)
    return dataclasses.replace(layer, shift=np.where(layer.multiplier == 0, small, layer.shift))


def _runs(
    pairs: Sequence[tuple[IntegerNetwork, Image]], seed: int
) -> list[tuple[Image, NDArray[np.int64], Disturbance]]:
    """Return runs of each image: at full speed, with rests short and long, reset in the middle."""
    rng = np.random.default_rng(seed)
    runs = []
    for number, (network, image) in enumerate(pairs):
        cycles = schedule(image).cycles
        middle, longest = cycles + cycles // 3, min(cycles, 1000)
        disturbances = (
            Disturbance(),
            Disturbance(blocked=0.9, seed=seed),
            Disturbance(idle=0.5, blocked=0.3, reset_clock=middle, seed=seed),
            Disturbance(blocked=0.7, burst=longest, seed=seed),
            Disturbance(idle=0.6, burst=longest, reset_clock=3, seed=seed),
        )
        runs += [
            (image, random_vectors(rng, network, 3 + number + place), disturbance)
            for place, disturbance in enumerate(disturbances)
        ]
    return runs


def _streams(
    runs: Sequence[tuple[Image, NDArray[np.int64], Disturbance]], storage: Storage
) -> tuple[Bench, ...]:
    """Return a bench of the first run, which notices most, and one of the others."""
    parts = [part for part in (runs[:1], runs[1:]) if part]
    return tuple(stream_bench(part, storage) for part in parts)


def _far(
    pair: tuple[IntegerNetwork, Image],
    small: tuple[IntegerNetwork, Image],
    *,
    storage: Storage,
) -> tuple[Bench, ...]:
    """Return benches of long runs: counters get far, and rare roundings come up."""
    rng = np.random.default_rng(SEED)
    rests = Disturbance(blocked=0.8, burst=1000, seed=SEED)
    stalls = Disturbance(blocked=0.95, burst=1000, seed=SEED)
    return tuple(
        stream_bench([(image, random_vectors(rng, network, count), disturbance)], storage)
        for (network, image), count, disturbance in (
            (small, 300, Disturbance()),
            (pair, 60, rests),
            (pair, 5, stalls),
        )
    )


def rom_engine() -> Design:
    """Return an engine with its image for good, and another image in its files."""
    fields = {"lanes": 4, "rows": 2, "weight_depth": 600, "row_depth": 320, "hidden_depth": 80}
    pairs = _images(SEED, ([64, 40, 21, 9], [50, 33, 12]), ks=range(5), **fields)
    small = _images(SEED, ([40, 40, 9],), ks=range(5), small=True, **fields)
    # More groups in a section than fit six bits.
    many = _images(SEED, ([20, 300, 6],), ks=(2,), keeps=(1,), max_k=4, **fields)
    versions = (pairs[0][1], of_another_version(pairs[0][1]))
    return Design(
        name="engine, storage rom",
        verilog=generate_verilog(pairs[0][1].config, Storage.ROM),
        share=0.22,
        benches=(
            *_streams(_runs(pairs[:1], SEED), Storage.ROM),
            *_streams(_runs(pairs[1:], SEED), Storage.ROM),
            *_streams(_runs(many, SEED)[:1], Storage.ROM),
            *(cocotbext_bench(pair[1], *_answered(pair, 12), SEED) for pair in pairs),
            *(registers_bench(registers_job(each.config, each), each) for each in versions),
            *_far(pairs[0], *small, storage=Storage.ROM),
        ),
    )


def _answered(
    pair: tuple[IntegerNetwork, Image], count: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return vectors and what the last layer must make of them."""
    vectors = random_vectors(np.random.default_rng(SEED), pair[0], count)
    return vectors, reference(pair[0], vectors)


def _nearly_alike(
    network: IntegerNetwork, image: Image, rng: np.random.Generator
) -> tuple[IntegerNetwork, Image]:
    """Return a network of one layer, and its image, whose outputs differ by a few alone."""
    (layer,) = network.layers
    rows = len(layer.bias)
    layer = dataclasses.replace(
        layer,
        weights=np.tile(layer.weights[:1], (rows, 1)),
        bias=layer.bias[0] + rng.permutation(rows).astype(layer.bias.dtype),
        multiplier=np.tile(layer.multiplier[:1], rows),
        shift=np.tile(layer.shift[:1], rows),
        patterns=layer.patterns[:1] * rows,
    )
    network = dataclasses.replace(network, layers=(layer,))
    return network, pack(network, image.config)


def arg_max() -> Design:
    """Return an engine that tells the largest of its outputs; the other parts are as above."""
    fields = {
        "lanes": 2,
        "rows": 8,
        "weight_depth": 2600,
        "row_depth": 20000,
        "output_depth": 20000,
        "max_k": 3,
        "output_mode": OutputMode.ARGMAX,
    }
    few = _images(SEED + 3, ([24, 5],), ks=range(4), small=True, **fields)
    close = _nearly_alike(*few[0], np.random.default_rng(SEED))
    # So many that every bit of the largest one's number is 0 and 1.
    ((network, image),) = _images(SEED + 2, ([2, 20000],), ks=(0,), keeps=(1,), **fields)
    rng = np.random.default_rng(SEED)
    # Any of a few, the first one too, is the largest sometimes.
    often = random_vectors(rng, few[0][0], 100)
    runs = [(few[0][1], often), (image, random_vectors(rng, network, 8))]
    runs.append((close[1], random_vectors(rng, close[0], 40)))
    return Design(
        name="engine, mode argmax",
        verilog=generate_verilog(image.config, Storage.ROM),
        share=0.05,
        modules=f"{TOP}.engine.arg_max",
        kept=("darb_rom", "darb_ram"),
        benches=(
            *_streams(_runs(few, SEED), Storage.ROM),
            *(stream_bench([(*each, Disturbance())], Storage.ROM) for each in runs),
        ),
    )


def ram_engine() -> Design:
    """Return an engine without an image: three of other shapes are loaded in turn."""
    fields = {"lanes": 2, "rows": 2, "weight_depth": 3640, "index_depth": 610}
    fields |= {"row_depth": 2650, "input_depth": 2080, "hidden_depth": 1320}
    shapes = ([60, 41, 11], [25, 18, 21, 8], [50, 9, 30, 12])
    pairs = _images(SEED + 1, shapes, ks=range(6), **fields)
    small = _images(SEED, ([40, 40, 9],), ks=range(6), small=True, **fields)
    # Groups, beats and columns enough for every bit of an address.
    many = _images(SEED, ([20, 3300, 6],), ks=(2,), keeps=(1,), max_k=5, **fields)
    wide = _images(SEED, ([5200, 5, 6],), ks=(5,), keeps=(2,), max_k=5, **fields)
    runs = _runs(pairs, SEED)
    # In turn, so that each image finds what another has left.
    runs = [runs[5 * (n % 3) + n // 3] for n in range(15)]
    cycles = schedule(pairs[0][1]).cycles
    rng = np.random.default_rng(SEED)
    halts = [(int(clock), False) for clock in rng.integers(1, 4 * cycles, 3)]
    return Design(
        name="engine, storage ram",
        verilog=generate_verilog(pairs[0][1].config, Storage.RAM),
        share=0.38,
        benches=(
            *_streams(runs, Storage.RAM),
            loading_bench(
                [(pair[1], *_answered(pair, 4)) for pair in pairs[:2]],
                [*halts, (3 * cycles, True)],
            ),
            registers_bench(registers_job(pairs[0][1].config)),
            *_streams([_runs(each, SEED)[0] for each in (many, wide)], Storage.RAM),
            *_far(pairs[0], *small, storage=Storage.RAM),
        ),
    )


def board() -> Design:
    """Return a board core that is loaded over its serial line; its engine is as in the others.

    Its registers answer later than in a board, and not always as late: the link must wait.
    """
    config, job = board_job(SEED)
    return Design(
        name="board",
        verilog=component_verilog(board_core(config, delays=True), TOP),
        share=0.35,
        modules=f"{MUTATED} {TOP}.leds {TOP}.link* {TOP}.engine.inner.memory_checker*",
        benches=(frames_bench(job),),
    )


DESIGNS: tuple[Callable[[], Design], ...] = (rom_engine, arg_max, ram_engine, board)
