"""Smaller cases: each move takes something away from a case and leaves a valid one, or fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from darb.golden.config import EngineConfig, OutputMode
from darb.golden.network import IntegerLayer, IntegerNetwork
from darb.golden.pattern import Pattern
from darb.golden.random_config import common_config
from darb.golden.register_map import Storage
from darb.hw.bench_job import Disturbance
from darb.hw.fuzzing.case import FuzzCase, FuzzRun
from darb.hw.fuzzing.random_case import with_last_relu

_FEW = 8
Move = Callable[[], FuzzCase]
"""Returns the smaller case; raises ValueError where there is none."""


def moves(case: FuzzCase) -> Iterator[Move]:
    """Yield every move from `case`, those first that take most away.

    Parameters
    ----------
    case : FuzzCase
    """
    yield from _run_moves(case)
    yield from _config_moves(case)
    for number in range(len(case.networks)):
        yield from _layer_moves(case, number)
        yield from _size_moves(case, number)
        yield from _number_moves(case, number)


def _parts(count: int) -> Iterator[NDArray[np.int64]]:
    """Yield what to keep of `count` things: one half, then all but a quarter, ... all but one."""
    size = count
    while size > 1:
        size = -(-size // 2)
        for start in range(0, count, size):
            yield np.delete(np.arange(count), slice(start, start + size))


def _run_moves(case: FuzzCase) -> Iterator[Move]:
    for number, run in enumerate(case.runs):
        if len(case.runs) > 1:
            yield lambda number=number: _with_runs(case, [number])
        if len(run.vectors) > 1:
            for kept in _parts(len(run.vectors)):
                smaller = replace(run, vectors=run.vectors[kept])
                yield lambda number=number, smaller=smaller: _with_run(case, number, smaller)
        for disturbance in _calmer(run.disturbance):
            smaller = replace(run, disturbance=disturbance)
            yield lambda number=number, smaller=smaller: _with_run(case, number, smaller)
    if len(case.runs) > 1:
        for number in range(len(case.runs)):
            others = [n for n in range(len(case.runs)) if n != number]
            yield lambda others=others: _with_runs(case, others)


def _calmer(disturbance: Disturbance) -> Iterator[Disturbance]:
    plain = Disturbance()
    if disturbance != plain:
        yield plain
    for name in ("reset_clock", "idle", "blocked", "burst"):
        if getattr(disturbance, name) != getattr(plain, name):
            yield replace(disturbance, **{name: getattr(plain, name)})
    if disturbance.reset_clock:
        yield replace(disturbance, reset_clock=disturbance.reset_clock // 2)


def _with_runs(case: FuzzCase, numbers: list[int]) -> FuzzCase:
    """Return a case of some of the runs and the networks that they need."""
    runs = [case.runs[number] for number in numbers]
    needed = sorted({run.network for run in runs})
    return replace(
        case,
        networks=tuple(case.networks[number] for number in needed),
        runs=tuple(replace(run, network=needed.index(run.network)) for run in runs),
    )


def _with_run(case: FuzzCase, number: int, run: FuzzRun) -> FuzzCase:
    runs = list(case.runs)
    runs[number] = run
    return replace(case, runs=tuple(runs))


def _fitted(case: FuzzCase, **pinned: object) -> EngineConfig:
    """Return the smallest config for the case's networks."""
    old = case.config
    kept = {
        "lanes": old.lanes,
        "rows": old.rows,
        "index_word_bits": old.index_word_bits,
        "output_mode": old.output_mode,
    }
    return common_config(case.networks, **{**kept, **pinned})


def _config_moves(case: FuzzCase) -> Iterator[Move]:
    config = case.config
    if case.storage is Storage.RAM:
        yield lambda: replace(case, storage=Storage.ROM)
    if case.memory_check:
        yield lambda: replace(case, memory_check=False)
    pins = [{}]
    pins += [{name: 1} for name in ("lanes", "rows") if getattr(config, name) > 2]
    for name in ("lanes", "rows"):
        if getattr(config, name) > 1:
            pins.append({name: getattr(config, name) // 2})
    largest = max(
        pattern.k for each in case.networks for layer in each.layers for pattern in layer.patterns
    )
    if config.index_word_bits > max(1, largest):
        pins.append({"index_word_bits": max(1, largest)})
    if config.output_mode is not OutputMode.ACCUMULATORS:
        yield lambda: _with_accumulators(case)
    for pinned in pins:
        yield lambda pinned=pinned: _changed(replace(case, config=_fitted(case, **pinned)), case)


def _with_accumulators(case: FuzzCase) -> FuzzCase:
    """Return a case that sends accumulators, which no last layer's ReLU is applied to."""
    plain = tuple(with_last_relu(network, relu=False) for network in case.networks)
    case = replace(case, networks=plain)
    return replace(case, config=_fitted(case, output_mode=OutputMode.ACCUMULATORS))


def _changed(smaller: FuzzCase, case: FuzzCase) -> FuzzCase:
    """Refuse a move that moves nothing, which could be made for ever."""
    if smaller.config == case.config:
        raise ValueError("the config must be another one")
    return smaller


def _with_network(
    case: FuzzCase,
    number: int,
    layers: list[IntegerLayer],
    vectors: Callable[[NDArray[np.int64]], NDArray[np.int64]] = lambda given: given,
) -> FuzzCase:
    """Return a case with other layers in one network; its config grows where it must."""
    network = IntegerNetwork(
        layers=tuple(layers),
        weight_bits=case.networks[number].weight_bits,
        activation_bits=case.networks[number].activation_bits,
    )
    networks = list(case.networks)
    networks[number] = network
    runs = tuple(
        replace(run, vectors=vectors(run.vectors)) if run.network == number else run
        for run in case.runs
    )
    case = replace(case, networks=tuple(networks), runs=runs)
    needed, old = _fitted(case).to_dict(), case.config.to_dict()
    grown = {
        name: max(value, needed[name]) if isinstance(value, int) else value
        for name, value in old.items()
    }
    return replace(case, config=EngineConfig.from_dict(grown))


def _layer_moves(case: FuzzCase, number: int) -> Iterator[Move]:
    layers = list(case.networks[number].layers)
    requantises = case.config.output_mode is OutputMode.ACTIVATIONS
    if len(layers) == 1:
        return
    for count in dict.fromkeys((1, len(layers) // 2, len(layers) - 1)):
        head = layers[:count]
        head[-1] = replace(head[-1], relu=head[-1].relu and requantises)
        yield lambda head=head: _with_network(case, number, head)
        tail = layers[-count:]
        width = tail[0].shape[1]
        yield lambda tail=tail, width=width: _with_network(
            case, number, tail, lambda given: np.resize(given, (len(given), width))
        )


def _without_rows(layer: IntegerLayer, kept: NDArray[np.int64]) -> IntegerLayer:
    return replace(
        layer,
        weights=layer.weights[kept],
        bias=layer.bias[kept],
        multiplier=layer.multiplier[kept],
        shift=layer.shift[kept],
        patterns=tuple(layer.patterns[row] for row in kept),
    )


def _without_columns(layer: IntegerLayer, kept: NDArray[np.int64]) -> IntegerLayer:
    """Return a layer of fewer columns, the stored order of those left as it was."""
    place = {int(column): new for new, column in enumerate(kept)}
    columns = [place[column] for column in layer.columns.tolist() if column in place]
    return replace(layer, weights=layer.weights[:, kept], columns=np.array(columns, dtype=np.int64))


def _size_moves(case: FuzzCase, number: int) -> Iterator[Move]:
    layers = case.networks[number].layers
    for place in range(len(layers)):
        for kept in _parts(layers[place].shape[0]):
            yield lambda place=place, kept=kept: _fewer_rows(case, number, place, kept)
    # In stored order, so that blocks go whole or lose their ends.
    order = layers[0].columns
    for kept in _parts(order.size):
        columns = np.sort(order[kept])
        yield lambda columns=columns: _with_network(
            case,
            number,
            [_without_columns(layers[0], columns), *layers[1:]],
            lambda given, columns=columns: given[:, columns],
        )


def _fewer_rows(case: FuzzCase, number: int, place: int, kept: NDArray[np.int64]) -> FuzzCase:
    layers = list(case.networks[number].layers)
    layers[place] = _without_rows(layers[place], kept)
    if place + 1 < len(layers):
        layers[place + 1] = _without_columns(layers[place + 1], kept)
    return _with_network(case, number, layers)


def _number_moves(case: FuzzCase, number: int) -> Iterator[Move]:
    layers = case.networks[number].layers
    for place, layer in enumerate(layers):
        rows, columns = layer.shape
        largest = max(pattern.block_size for pattern in layer.patterns)
        plainer = [
            {"patterns": (Pattern(0),) * rows, "align": 1},
            {"align": 1},
            {"align": min(layer.align, largest)},
            {"columns": np.arange(columns)},
            {"relu": False},
            {"bias": np.zeros(rows, dtype=np.int64)},
            {"multiplier": np.full(rows, 1 << 15)},
            {"shift": np.full(rows, 15)},
            {"weights": np.zeros_like(layer.weights)},
            {"weights": np.sign(layer.weights)},
        ]
        standing = np.argwhere(layer.weights)
        # Rows and columns go in greater parts; single weights are worth a try when few are left.
        for row, column in standing if len(standing) <= _FEW else ():
            weights = layer.weights.copy()
            weights[row, column] = 0
            plainer.append({"weights": weights})
        for fields in plainer:
            yield lambda place=place, fields=fields: _with_layer(case, number, place, fields)
    for index, run in enumerate(case.runs):
        if run.network == number and run.vectors.any():
            for vectors in (np.zeros_like(run.vectors), np.sign(run.vectors)):
                if not np.array_equal(vectors, run.vectors):
                    smaller = replace(run, vectors=vectors)
                    yield lambda index=index, smaller=smaller: _with_run(case, index, smaller)


def _with_layer(case: FuzzCase, number: int, place: int, fields: dict) -> FuzzCase:
    layers = list(case.networks[number].layers)
    changed = replace(layers[place], **fields)
    if changed == layers[place]:
        raise ValueError("the layer must be another one")
    layers[place] = changed
    return _with_network(case, number, layers)
