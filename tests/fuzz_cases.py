"""Cases for the tests of the fuzzer, and a shrinking that no clock ends."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
from random_networks import random_network

from darb.golden import Storage, fit_config
from darb.golden.fixed_point import requantize
from darb.hw import Disturbance
from darb.hw.fuzzing.case import FuzzCase, FuzzRun
from darb.hw.fuzzing.case_file import Reproduction, write_case
from darb.hw.fuzzing.moves import Move
from darb.hw.fuzzing.shrinking import shrink

AMARANTH = {"amaranth": None}
_ATTEMPTS = 20_000


def by_attempts(*arguments: object, seconds: float = math.inf, **rest: object) -> FuzzCase:
    """Return what `shrink` does, `seconds` passed over."""
    return shrink(*arguments, seconds=math.inf, attempts=_ATTEMPTS, **rest)


def small_case(**changes: object) -> FuzzCase:
    """Return a case of one engine, one network and one run, some fields changed."""
    network = random_network(np.random.default_rng(1), [5, 4, 3], ks=(0, 1), lanes=2)
    network = dataclasses.replace(network, input_scale=1.0, output_scales=())
    config = fit_config(network, lanes=2, rows=2)
    vectors = np.random.default_rng(2).integers(-128, 128, (3, 5))
    runs = (FuzzRun(0, vectors, Disturbance()),)
    return dataclasses.replace(FuzzCase(config, Storage.ROM, (network,), runs), **changes)


def as_text(case: FuzzCase, path: Path) -> str:
    """Return what is written of a case."""
    write_case(path, Reproduction(case, 0, 0, (), {}))
    return path.read_text()


def lessened(sums, multiplier, shift, *, bits, relu):
    """Requantise, one less where the shift is 1: a bug for the golden model."""
    return requantize(sums, multiplier, shift, bits=bits, relu=relu) - (shift == 1)


def attempt(move: Move) -> FuzzCase | None:
    """Return the smaller case, None where there is none."""
    try:
        return move()
    except ValueError:
        return None
