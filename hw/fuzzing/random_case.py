"""Random cases: case `index` of a seed is the same in any run, for one version of NumPy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from darb.golden.network import IntegerNetwork
from darb.golden.number_edges import extreme_network, extreme_vectors
from darb.golden.random_config import random_config
from darb.golden.random_network import random_network, random_vectors
from darb.golden.register_map import Storage
from darb.golden.timeline import schedule
from darb.hw.bench_job import Disturbance
from darb.hw.fuzzing.case import FuzzCase, FuzzRun

_SHAPES = [(lanes, rows) for lanes in (1, 2, 4, 8, 16) for rows in (1, 2, 4, 8)]
_MOST_MULTIPLIERS = 16
_BURSTS = (1, 1, 1, 3, 10, 40)
_MOST_CLOCKS = 2000
"""Of a run without rests, unless one vector takes more: Amaranth's simulator is the slowest."""


def _random_sizes(rng: np.random.Generator, lanes: int, storage: Storage) -> list[int]:
    """Return inputs and each layer's rows: small, mostly no multiple of anything.

    Smaller still where every word is loaded in simulation.
    """
    layers = int(rng.choice([1, 2, 3, 4], p=[0.3, 0.35, 0.2, 0.15]))
    most = 2 * lanes + 8
    if storage is Storage.ROM and rng.random() < 0.4:
        most = 12 * lanes + 30 if rng.random() < 0.3 else 4 * lanes + 10
    return [1 if rng.random() < 0.06 else int(rng.integers(1, most)) for _ in range(layers + 1)]


def _random_patterns(rng: np.random.Generator) -> tuple[list[int], list[int]]:
    """Return the k and the keep that a network's rows are drawn from."""
    one, few = [int(rng.integers(1, 7))], sorted({int(k) for k in rng.integers(0, 7, 2)})
    kinds = ([0], one, few, list(range(7)), [int(rng.integers(7, 13))])
    ks = kinds[int(rng.choice(len(kinds), p=[0.12, 0.23, 0.3, 0.3, 0.05]))]
    keeps = ([1], [1, 2, 3, 4], [int(rng.integers(1, 9))], [255])
    return ks, keeps[int(rng.choice(len(keeps), p=[0.45, 0.35, 0.17, 0.03]))]


def _random_network(
    rng: np.random.Generator,
    lanes: int,
    storage: Storage,
    weight_bits: int,
    activation_bits: int,
) -> IntegerNetwork:
    ks, keeps = _random_patterns(rng)
    # Blocks that run through from column 0 round segments up to the largest of them.
    restart = rng.random() < 0.6 or max(ks) > 6
    network = random_network(
        rng,
        _random_sizes(rng, lanes, storage),
        ks=ks,
        keeps=keeps,
        weight_bits=weight_bits,
        activation_bits=activation_bits,
        lanes=lanes if restart else None,
        spare_columns=float(rng.choice([0.0, 0.0, 0.3, 0.9])),
    )
    network = replace(network, input_scale=1.0, output_scales=())
    return extreme_network(rng, network) if rng.random() < 0.5 else network


def _random_run(rng: np.random.Generator, number: int, case: FuzzCase) -> FuzzRun:
    network = case.networks[number]
    cycles = schedule(case.images[number]).cycles
    count = min(int(rng.integers(1, 8)), 1 + _MOST_CLOCKS // cycles)
    vectors = random_vectors(rng, network, count)
    if rng.random() < 0.4:
        vectors = extreme_vectors(rng, network, count)
    ends = [0.0, 0.0, 0.2, 0.5, 0.8]
    disturbance = Disturbance(
        idle=float(rng.choice(ends)),
        blocked=float(rng.choice(ends)),
        reset_clock=int(rng.integers(0, 3 * cycles)) if rng.random() < 0.2 else None,
        seed=int(rng.integers(1 << 31)),
        burst=int(rng.choice(_BURSTS)),
    )
    return FuzzRun(number, vectors, disturbance)


def random_case(seed: int, index: int) -> FuzzCase:
    """Return a case; every option of engine and network has its chance, and so have the edges.

    Parameters
    ----------
    seed, index : int
        Not negative; together they say everything, for one version of NumPy.
    """
    rng = np.random.default_rng([seed, index])
    shapes = [shape for shape in _SHAPES if shape[0] * shape[1] <= _MOST_MULTIPLIERS]
    lanes, rows = shapes[int(rng.integers(len(shapes)))]
    weight_bits = int(rng.choice([2, 3, 4, 5, 6, 7, 8, 8, 8]))
    activation_bits = int(rng.choice([2, 3, 4, 5, 6, 7, 8, 8, 8]))
    storage = Storage.RAM if rng.random() < 0.4 else Storage.ROM
    count = int(rng.integers(1, 4 if storage is Storage.RAM else 3))
    networks = [
        _random_network(rng, lanes, storage, weight_bits, activation_bits) for _ in range(count)
    ]
    # Only an engine that sends activations applies the last layer's ReLU.
    if rng.random() < 0.2:
        networks[0] = with_last_relu(networks[0], relu=True)
    config = random_config(rng, networks, lanes=lanes, rows=rows)
    order = [*range(count), *(int(n) for n in rng.integers(0, count, rng.integers(0, 4)))]
    vectors = [np.zeros((1, network.inputs), dtype=np.int64) for network in networks]
    plain = tuple(FuzzRun(n, vectors[n], Disturbance()) for n in order)
    case = FuzzCase(config, storage, tuple(networks), plain, memory_check=bool(rng.random() < 0.25))
    return replace(case, runs=tuple(_random_run(rng, number, case) for number in order))


def with_last_relu(network: IntegerNetwork, *, relu: bool) -> IntegerNetwork:
    """Return a network whose last layer has a ReLU, or none."""
    *before, last = network.layers
    return replace(network, layers=(*before, replace(last, relu=relu)))
