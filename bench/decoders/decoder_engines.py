"""darb's engine and its rivals under one interface: figures of a layer, and hardware to build."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from amaranth.lib import wiring
from decoder_layers import Work

from darb.golden import (
    EngineModel,
    IntegerNetwork,
    OutputMode,
    Pattern,
    fit_config,
    pack,
    schedule,
    steady_interval,
    timeline,
)
from darb.golden.baselines import (
    BaselineModel,
    BsrModel,
    CsrModel,
    Outcome,
    RelativeCscModel,
    balanced_order,
    fit_bsr,
    fit_csr,
    fit_relative_csc,
    pack_bsr,
    pack_csr,
    pack_relative_csc,
)
from darb.golden.baselines.relative_csc_model import IN_FLIGHT
from darb.golden.bitfields import to_hex
from darb.golden.formats import Bsr, Csr, RelativeCsc, StorageBits, packed_storage
from darb.golden.memory_map import memory_shapes
from darb.hw.baselines.block_row_sequencer import BlockRowSequencer
from darb.hw.baselines.column_queue import ColumnQueue
from darb.hw.baselines.column_sequencer import ColumnSequencer, column_layout
from darb.hw.baselines.nonzero_broadcaster import NonzeroBroadcaster
from darb.hw.baselines.simulation import ENGINES as RIVALS
from darb.hw.baselines.stream_top import StreamTop
from darb.hw.block_index_decoder import BlockIndexDecoder
from darb.hw.engine import Engine
from darb.hw.section_fetch import bank_address_bits
from darb.hw.sequencer import Sequencer
from darb.sw.folding import choose_folding

MULTIPLIERS = (16, 64)
"""P: what a 4 x 4 block takes, and what one of 8 x 8 does."""


_NUMBERS = {"output_mode": OutputMode.ACTIVATIONS}
"""Every engine requantises."""

Parts = list[tuple[wiring.Component, int]]
"""Components, and how often each stands in an engine."""


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A layer packed for one engine.

    Parameters
    ----------
    fold : str
        How the multipliers are used, in words.
    outcome : Outcome
        Where no activation is zero.
    zeros_interval : float
        Mean clocks between vectors with zeros among them.
    storage : StorageBits
    top : callable
        Makes the engine with its two stream ends.
    decoder : callable
        Makes the components that decode, to be built alone.
    files : dict of str to bytes
        The memory files that its Verilog reads.
    """

    fold: str
    outcome: Outcome
    zeros_interval: float
    storage: StorageBits
    top: Callable[[], wiring.Component]
    decoder: Callable[[], Parts]
    files: dict[str, bytes]


def _darb(work: Work, multipliers: int) -> Candidate:
    network = IntegerNetwork(layers=(work.layer,))
    lanes, rows = work.lanes, work.rows
    if lanes is None or rows is None:
        fold = choose_folding(network, multipliers=multipliers)
        lanes, rows = fold.lanes, fold.rows
    config = fit_config(network, lanes=lanes, rows=rows, **_NUMBERS)
    image = pack(network, config)
    layers = EngineModel(image).layers
    plan = schedule(image, layers)
    lone = timeline(plan, image, 1)
    shapes = memory_shapes(config)
    weights = int(np.count_nonzero(work.layer.weights))
    outcome = Outcome(
        multipliers=lanes * rows,
        weights=weights,
        useful=float(weights),
        stored_weights=sum(layer.stored_weights() for layer in layers),
        memory_bits=sum(depth * width for depth, width in shapes.values()),
        latency=int(lone.outputs[0, -1] - lone.inputs[0, 0]) + 1,
        interval=steady_interval(plan, image),
    )
    (storage,) = packed_storage(network, lanes=lanes, rows=rows, **_NUMBERS)

    def decoder() -> Parts:
        addresses = BlockIndexDecoder(
            fields=config.multipliers,
            field_bits=config.index_word_bits,
            max_k=config.max_k,
            address_bits=bank_address_bits(config),
        )
        return [(Sequencer(config=config), 1), (addresses, 1)]

    return Candidate(
        fold=f"{lanes} lanes x {rows} rows",
        outcome=outcome,
        zeros_interval=outcome.interval,
        storage=storage,
        top=lambda: StreamTop(config=config, engine=Engine(config=config)),
        decoder=decoder,
        files={
            f"{name}.mem": to_hex(image.memories[name], width)
            for name, (_, width) in shapes.items()
        },
    )


def _dense(work: Work, multipliers: int) -> Candidate:
    layer = work.layer
    every = (Pattern(0, 1),) * len(layer.weights)
    plain = replace(layer, patterns=every, columns=np.arange(layer.shape[1]), align=1)
    return _darb(Work(layer=plain, vectors=work.vectors), multipliers)


def _rival(
    model: BaselineModel, work: Work, storage: StorageBits, *, fold: str, decoder: Callable
) -> Candidate:
    config = model.image.config
    outcome = model.outcome()
    skips = isinstance(model, RelativeCscModel)
    return Candidate(
        fold=fold,
        outcome=outcome,
        zeros_interval=model.outcome(work.vectors).interval if skips else outcome.interval,
        storage=storage,
        top=lambda: StreamTop(config=config.shared, engine=RIVALS[type(config)](config=config)),
        decoder=lambda: decoder(config),
        files=model.image.files(),
    )


def _row_decoder(config: Any) -> Parts:
    return [(BlockRowSequencer(config=config, lane=0), config.lanes)]


def _csr(*, balanced: bool) -> Callable[[Work, int], Candidate]:
    def candidate(work: Work, multipliers: int) -> Candidate:
        weights = work.layer.weights
        order = balanced_order(weights, multipliers) if balanced else None
        config = fit_csr(work.layer, multipliers=multipliers, order=order, **_NUMBERS)
        model = CsrModel(pack_csr(work.layer, config, order=order))
        storage, fold = Csr.from_dense(weights).storage(), f"{config.lanes} rows"
        return _rival(model, work, storage, fold=fold, decoder=_row_decoder)

    return candidate


def _eie(work: Work, multipliers: int) -> Candidate:
    weights = work.layer.weights
    order = balanced_order(weights, multipliers, falling=True)
    config = fit_relative_csc(work.layer, multipliers=multipliers, order=order, **_NUMBERS)
    model = RelativeCscModel(pack_relative_csc(work.layer, config, order=order))
    storage = RelativeCsc.from_dense(weights[order], lanes=config.lanes).storage()

    def decoder(config: Any) -> Parts:
        places = config.queue_depth + IN_FLIGHT
        queue = ColumnQueue(layout=column_layout(config), places=places)
        lanes = config.lanes
        return [
            (NonzeroBroadcaster(config=config), 1),
            (queue, lanes),
            (ColumnSequencer(config=config), lanes),
        ]

    return _rival(model, work, storage, fold=f"{config.lanes} lanes", decoder=decoder)


def _bsr(size: int, *, spread: bool) -> Callable[[Work, int], Candidate]:
    def candidate(work: Work, multipliers: int) -> Candidate:
        layer, groups = work.layer, multipliers // size**2
        shape = {"block_size": size, "blocks_a_step": 1 if spread else groups}
        order = balanced_order(layer.weights, multipliers, **shape)
        config = fit_bsr(layer, multipliers=multipliers, order=order, **shape, **_NUMBERS)
        model = BsrModel(pack_bsr(layer, config, order=order))
        storage = Bsr.from_dense(layer.weights, block_size=size).storage()
        fold = f"{config.lanes} block rows" if spread else f"{groups} blocks of a block row"
        return _rival(model, work, storage, fold=fold, decoder=_row_decoder)

    return candidate


@dataclass(frozen=True, kw_only=True)
class Contender:
    """A format with its engine.

    Parameters
    ----------
    title : str
    method : str
        How its layers of random weights are pruned.
    rows : tuple of str
        Rows of docs/results/pruning.md whose networks it serves.
    decoder : str
        Regular expression of the components that turn stored words into weights with activations
        at the multipliers: what reads positions, lengths and pointers, and waits for them.
    candidate : callable
        Packs a layer for so many multipliers.
    least_multipliers : int
        That it is of use with.
    """

    title: str
    method: str
    rows: tuple[str, ...]
    decoder: str
    candidate: Callable[[Work, int], Candidate]
    least_multipliers: int = 1


_ROWS = r"sequencer|lengths"
_BLOCKS = {2: ("block-2",), 4: ("block-4", "block-published"), 8: ("block-8",)}

CONTENDERS = {
    "darb": Contender(
        title="DARB",
        method="darb",
        rows=("darb",),
        decoder=r"sequencer|decoder|layers",
        candidate=_darb,
    ),
    "dense": Contender(
        title="dense, in DARB's engine",
        method="dense",
        rows=("dense",),
        decoder=r"sequencer|decoder|layers",
        candidate=_dense,
    ),
    "csr": Contender(
        title="CSR",
        method="irregular",
        rows=("irregular", "irregular-normalized"),
        decoder=_ROWS,
        candidate=_csr(balanced=True),
    ),
    "csr-natural": Contender(
        title="CSR, rows as they stand",
        method="irregular",
        rows=(),
        decoder=_ROWS,
        candidate=_csr(balanced=False),
    ),
    "eie": Contender(
        title="CSC, 4-bit skips, as EIE",
        method="irregular",
        rows=("irregular", "irregular-normalized"),
        decoder=r"broadcaster|queue|sequencer|even|odd",
        candidate=_eie,
    ),
    **{
        f"bsr-{size}{'' if spread else '-row'}": Contender(
            title=f"BSR {size} x {size}, {'block rows spread' if spread else 'row by row'}",
            method=f"block-{size}",
            rows=rows,
            decoder=_ROWS,
            candidate=_bsr(size, spread=spread),
            # Where one block takes all multipliers, both are the same.
            least_multipliers=size**2 if spread else 2 * size**2,
        )
        for size, rows in _BLOCKS.items()
        for spread in (True, False)
        if spread or 2 * size**2 <= max(MULTIPLIERS)
    },
}
