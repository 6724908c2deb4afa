"""Repacking: an image made for one engine, packed again for another that has room for it."""

from __future__ import annotations

from darb.golden.config import EngineConfig, OutputMode
from darb.golden.image import Image
from darb.golden.network import IntegerNetwork
from darb.golden.packer import fit_config, pack
from darb.golden.unpacker import unpack

_CAPACITIES = (
    "weight_bits",
    "accumulator_bits",
    "max_k",
    "weight_depth",
    "index_depth",
    "row_depth",
    "layer_depth",
    "input_depth",
    "hidden_depth",
    "output_depth",
)


def _shortcomings(network: IntegerNetwork, config: EngineConfig) -> list[str]:
    """Return what `config` lacks for `network`, a phrase each."""
    largest = max(pattern.k for layer in network.layers for pattern in layer.patterns)
    # max_k is given, for the smallest could be one that index_word_bits forbids.
    smallest = fit_config(
        network,
        lanes=config.lanes,
        rows=config.rows,
        index_word_bits=config.index_word_bits,
        max_k=config.max_k,
    )
    needs = {**smallest.to_dict(), "max_k": largest}
    found = [
        f"{name} needs {needs[name]}, has {getattr(config, name)}"
        for name in _CAPACITIES
        if needs[name] > getattr(config, name)
    ]
    if network.activation_bits != config.activation_bits:
        found.append(
            f"activation_bits needs exactly {network.activation_bits}, has {config.activation_bits}"
        )
    if network.layers[-1].relu and config.output_mode is not OutputMode.ACTIVATIONS:
        found.append(
            f"output_mode needs {OutputMode.ACTIVATIONS} for the last layer's ReLU, "
            f"has {config.output_mode}"
        )
    return found


def repack(image: Image, config: EngineConfig) -> Image:
    """Return `image` packed again for the engine of `config`: ``pack(unpack(image), config)``.

    Lanes, rows and the width of index words may differ from the image's own. What the engine sends
    is the engine's to say: its output mode holds, not the image's.

    Parameters
    ----------
    image : Image
    config : EngineConfig
        What the engine can hold.

    Raises
    ------
    ImageError
        If the image is damaged.
    PatternMisfitError
        If the rows' blocks do not fit the segments of another number of lanes.
    TypeError
        If `config` is no `EngineConfig`.
    ValueError
        If the engine is too small; lists every field with what the image needs and the engine has.
    """
    if not isinstance(config, EngineConfig):
        raise TypeError(f"config must be an EngineConfig, not {config!r}")
    network = unpack(image)
    found = _shortcomings(network, config)
    if found:
        raise ValueError(f"the image does not fit the engine: {'; '.join(found)}")
    return pack(network, config)
