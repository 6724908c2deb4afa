"""A case of the fuzzer: an engine, the networks that it serves, and what is sent to it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from darb.golden.config import EngineConfig
from darb.golden.fixed_point import check_vectors
from darb.golden.image import Image
from darb.golden.network import IntegerNetwork
from darb.golden.packer import pack
from darb.golden.register_map import Storage
from darb.hw.bench_job import Disturbance


@dataclass(frozen=True, eq=False)
class FuzzRun:
    """Vectors for one of a case's networks, and what both ends do meanwhile.

    Parameters
    ----------
    network : int
        Which of the case's networks.
    vectors : ndarray of int64, shape (B, N)
        At least one.
    disturbance : Disturbance
    """

    network: int
    vectors: NDArray[np.int64]
    disturbance: Disturbance


@dataclass(frozen=True, eq=False)
class FuzzCase:
    """One engine and everything that is run on it.

    Parameters
    ----------
    config : EngineConfig
        Such that it holds each of the networks: `images` refuses what it does not.
    storage : Storage
        With `ram` the networks are loaded one after the other, in one simulation; with `rom` each
        has a simulation of its own, of the same Verilog.
    networks : tuple of IntegerNetwork
    runs : tuple of FuzzRun
        At least one.
    memory_check : bool
        The engine can check its memories, and does so after each run.

    Raises
    ------
    TypeError
        If `memory_check` is no bool.
    ValueError
        If there is no run, or one names no network or no vector, or vectors that do not fit it.
    """

    config: EngineConfig
    storage: Storage
    networks: tuple[IntegerNetwork, ...]
    runs: tuple[FuzzRun, ...]
    memory_check: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.memory_check, bool):
            raise TypeError(f"memory_check must be a bool, not {self.memory_check!r}")
        if not self.runs:
            raise ValueError("a case must have at least one run, not ()")
        for number, run in enumerate(self.runs):
            if not 0 <= run.network < len(self.networks):
                raise ValueError(
                    f"run {number} must name a network in 0..{len(self.networks) - 1}, "
                    f"not {run.network!r}"
                )
            network = self.networks[run.network]
            check_vectors(run.vectors, network.inputs, network.activation_bits)
            if not len(run.vectors):
                raise ValueError(f"run {number} must have at least one vector, not 0")

    @cached_property
    def images(self) -> tuple[Image, ...]:
        """Each network, packed; raises what `pack` raises."""
        return tuple(pack(network, self.config) for network in self.networks)

    def sessions(self) -> list[list[int]]:
        """Return the numbers of the runs, grouped as they share a simulation."""
        if self.storage is Storage.RAM:
            return [list(range(len(self.runs)))]
        return [
            numbers
            for network in range(len(self.networks))
            if (numbers := [n for n, run in enumerate(self.runs) if run.network == network])
        ]

    def session_runs(
        self, numbers: list[int]
    ) -> list[tuple[Image, NDArray[np.int64], Disturbance]]:
        """Return a session's runs as the simulations take them."""
        runs = [self.runs[number] for number in numbers]
        return [(self.images[run.network], run.vectors, run.disturbance) for run in runs]
