"""From an integer network to an image directory, with vectors that say what it must compute."""

from __future__ import annotations

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


def _config(
    network: IntegerNetwork,
    *,
    lanes: int | None,
    rows: int | None,
    output_mode: OutputMode | str | None,
    config: EngineConfig | None,
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
        return fit_config(network, lanes=lanes, rows=rows, **pinned)
    for name, value in (("lanes", lanes), ("rows", rows), ("output_mode", output_mode)):
        fixed = getattr(config, name)
        if value is not None and value != fixed:
            raise ValueError(f"{name} must be the config's {str(fixed)!r}, not {value!r}")
    return config


def export(
    network: IntegerNetwork,
    directory: str | Path,
    *,
    lanes: int | None = None,
    rows: int | None = None,
    output_mode: OutputMode | str | None = None,
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
    config : EngineConfig, optional
        An engine that exists already; the smallest that holds the network by default.
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
    config = _config(network, lanes=lanes, rows=rows, output_mode=output_mode, config=config)
    image = pack(network, config)
    stored = golden_vectors(image, _integer_vectors(network, vectors))
    return write_image(image, directory, vectors=stored, formats=tuple(formats))
