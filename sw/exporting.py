"""From an integer network to an image directory, with vectors that say what it must compute."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from darb.golden import (
    EngineConfig,
    EngineModel,
    Image,
    IntegerNetwork,
    OutputMode,
    fit_config,
    pack,
    read_image,
    schedule,
    write_image,
)
from darb.golden.fixed_point import signed_range
from darb.sw.input_scaling import scale_inputs

RANDOM_VECTORS = 16
MOST_ROOM = 16


def random_vectors(
    network: IntegerNetwork, *, count: int = RANDOM_VECTORS, seed: int = 0
) -> NDArray[np.int64]:
    """Return integer inputs drawn evenly from all that an activation can be, (count, N)."""
    low, high = signed_range(network.activation_bits)
    generator = np.random.default_rng(seed)
    return generator.integers(low, high, size=(count, network.inputs), endpoint=True)


def golden_vectors(image: Image, inputs: NDArray[np.integer]) -> dict[str, NDArray[np.int64]]:
    """Return inputs with what the engine sends for them, and how long it takes.

    Parameters
    ----------
    image : Image
    inputs : ndarray of int, shape (B, N)

    Returns
    -------
    dict of str to ndarray of int64
        ``inputs`` (B, N); ``outputs`` (B, M), or (B, 1) in mode ``argmax``; ``cycles`` (B,),
        clocks from a vector's first step to its last where nothing stalls.
    """
    model = EngineModel(image)
    outputs = model.run(inputs)
    cycles = np.full(len(inputs), schedule(image, model.layers).cycles, dtype=np.int64)
    return {"inputs": np.asarray(inputs, dtype=np.int64), "outputs": outputs, "cycles": cycles}


def _integer_vectors(network: IntegerNetwork, vectors: ArrayLike | None) -> NDArray[np.int64]:
    if vectors is None:
        return random_vectors(network)
    return scale_inputs(
        vectors,
        columns=network.inputs,
        scale=network.input_scale,
        bits=network.activation_bits,
    )


def check_room(room: object) -> None:
    """Refuse a `room` that is no number of 1..16."""
    if isinstance(room, bool) or not isinstance(room, int | float):
        raise TypeError(f"room must be a number, not {room!r}")
    if not 1 <= room <= MOST_ROOM:
        raise ValueError(f"room must be in 1..{MOST_ROOM}, not {room!r}")


def roomy_config(
    network: IntegerNetwork, *, lanes: int, rows: int, room: float = 1.0, **pinned: object
) -> EngineConfig:
    """Return a config that also holds networks somewhat larger than this one.

    Parameters
    ----------
    network : IntegerNetwork
    lanes, rows : int
        S and R.
    room : float
        Every memory gets this many times the words that it needs. Above 1 accumulators are 32
        bits wide and blocks of 64 columns are served, whatever this network needs.
    **pinned
        As in `darb.golden.fit_config`.

    Raises
    ------
    TypeError
        If `room` is no number.
    ValueError
        If it is below 1, or a config cannot be that large.
    """
    check_room(room)
    config = fit_config(network, lanes=lanes, rows=rows, **pinned)
    if room == 1:
        return config
    depths = {
        field.name: math.ceil(room * getattr(config, field.name))
        for field in dataclasses.fields(config)
        if field.name.endswith("_depth")
    }
    return dataclasses.replace(config, accumulator_bits=32, max_k=max(config.max_k, 6), **depths)


def _config(
    network: IntegerNetwork,
    *,
    lanes: int | None,
    rows: int | None,
    output_mode: OutputMode | str | None,
    config: EngineConfig | None,
    room: float,
) -> EngineConfig:
    if output_mode is not None:
        names = [mode.value for mode in OutputMode]
        if output_mode not in names:
            raise ValueError(f"output_mode must be one of {', '.join(names)}, not {output_mode!r}")
        output_mode = OutputMode(output_mode)
    if config is None:
        if lanes is None or rows is None:
            raise TypeError("lanes and rows must be given where no config is")
        pinned = {} if output_mode is None else {"output_mode": output_mode}
        return roomy_config(network, lanes=lanes, rows=rows, room=room, **pinned)
    check_room(room)
    if room != 1:
        raise ValueError(f"room must be left out where a config is given, not {room!r}")
    for name, value in (("lanes", lanes), ("rows", rows), ("output_mode", output_mode)):
        fixed = getattr(config, name)
        if value is not None and value != fixed:
            told = value.value if isinstance(value, OutputMode) else value
            raise ValueError(f"{name} must be the config's {fixed!s}, not {told!r}")
    return config


def export(
    network: IntegerNetwork,
    directory: str | Path,
    *,
    lanes: int | None = None,
    rows: int | None = None,
    output_mode: OutputMode | str | None = None,
    room: float = 1.0,
    config: EngineConfig | None = None,
    like: str | Path | None = None,
    vectors: ArrayLike | None = None,
    formats: tuple[str, ...] = (),
) -> Path:
    """Pack a network and write its image directory, whole or not at all.

    Parameters
    ----------
    network : IntegerNetwork
    directory : path
        New, empty, or an earlier image, which is replaced.
    lanes, rows : int, optional
        S and R of the engine; both needed unless `config` or `like` gives them.
    output_mode : OutputMode or str, optional
        What the last layer sends; accumulators by default.
    room : float
        Above 1, the engine also holds networks that much larger; see `roomy_config`. To be left
        out where `config` or `like` is given.
    config : EngineConfig, optional
        An engine that exists already.
    like : path, optional
        Another image, whose config is taken, so that the Verilog generated from it serves.
    vectors : array_like, shape (B, ...), optional
        Inputs to store with their golden outputs: integers as the engine takes them, or real
        numbers, which are quantised. By default 16 random ones.
    formats : tuple of str
        ``coe``, ``mif``, ``bin``: the memories in these formats as well.

    Returns
    -------
    Path
        The directory.

    Raises
    ------
    TypeError
        If an argument is of the wrong kind, or neither lanes and rows nor a config is given.
    ValueError
        If a value does not fit, the network does not fit the config, or `directory` holds
        something else.
    """
    if not isinstance(network, IntegerNetwork):
        raise TypeError(f"network must be an IntegerNetwork, not {type(network).__name__!r}")
    if like is not None:
        if config is not None:
            raise TypeError("config and like exclude each other")
        config = read_image(like).config
    config = _config(
        network, lanes=lanes, rows=rows, output_mode=output_mode, config=config, room=room
    )
    image = pack(network, config)
    stored = golden_vectors(image, _integer_vectors(network, vectors))
    return write_image(image, directory, vectors=stored, formats=tuple(formats))
