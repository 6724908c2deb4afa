"""From an integer network to an image, and the smallest engine that holds it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from darb.golden.bitfields import Words, pack_array, pack_struct
from darb.golden.config import EngineConfig, OutputMode
from darb.golden.fixed_point import accumulator_magnitude, signed_bits
from darb.golden.image import Image, LayerInfo, digest_words
from darb.golden.memory_map import (
    FORMAT_VERSION,
    HEADER,
    HEADER_WORDS,
    SECTION,
    depth_field,
    indices_per_word,
    memory_shapes,
    row_layout,
)
from darb.golden.network import IntegerLayer, IntegerNetwork
from darb.golden.packing import Section, pack_layer
from darb.golden.pipeline import group_period
from darb.golden.step_words import by_step, pack_indices

_MOST_GROUPS = 1 << SECTION["groups"]
_SMALLEST = {
    "max_k": 0,
    "weight_depth": 1,
    "index_depth": 1,
    "row_depth": 1,
    "layer_depth": 3,
    "input_depth": 1,
    "hidden_depth": 1,
    "output_depth": 1,
}


def pack_sections(network: IntegerNetwork, lanes: int) -> list[list[Section]]:
    """Return each layer's sections; see `pack_layer` for what is refused."""
    return [
        pack_layer(layer, network.live_rows(number), lanes)
        for number, layer in enumerate(network.layers)
    ]


def _destinations(network: IntegerNetwork, number: int, lanes: int) -> NDArray[np.int64]:
    """Return (M, 2): bank and address of each row of layer `number`."""
    where = np.zeros((network.layers[number].shape[0], 2), dtype=np.int64)
    if number == len(network.layers) - 1:
        where[:, 1] = np.arange(len(where))
        return where
    after = network.layers[number + 1]
    length = after.segments(lanes).length
    position = np.arange(after.columns.size)
    where[after.columns, 0] = position // length
    where[after.columns, 1] = position % length
    return where


def _row_fields(
    layer: IntegerLayer, section: Section, where: NDArray[np.int64], rows: int
) -> dict[str, NDArray[np.int64]]:
    m = section.rows.size
    depth = -(-m // rows) * rows
    values = {
        "bias": layer.bias[section.rows],
        "multiplier": layer.multiplier[section.rows],
        "shift": layer.shift[section.rows],
        "store": np.ones(m),
        "bank": where[section.rows, 0],
        "address": where[section.rows, 1],
    }
    fields = {name: np.zeros(depth, dtype=np.int64) for name in values}
    for name, column in values.items():
        fields[name][:m] = column
    return fields


def _section_fields(
    section: Section, layer: IntegerLayer, place: dict[str, bool], config: EngineConfig
) -> dict[str, int]:
    """Return a descriptor; `place` holds its fields that say where in the network it stands."""
    groups = -(-section.rows.size // config.rows)
    if groups > _MOST_GROUPS:
        raise ValueError(
            f"layer {layer.name}: rows of one pattern must make at most {_MOST_GROUPS} groups of "
            f"{config.rows}, not {groups}"
        )
    steps = section.slots.weights.shape[2]
    period = group_period(steps, groups, config.rows)
    per_word = indices_per_word(config.index_word_bits, section.pattern.k)
    return {
        "groups": groups - 1,
        "period": period - 1,
        "lead": period - steps,
        "k": section.pattern.k,
        "keep": section.pattern.keep - 1,
        "per_word": max(per_word, 1) - 1,
        **place,
        "relu": layer.relu,
        "spare": 0,
    }


def _memories(
    network: IntegerNetwork, packed: list[list[Section]], config: EngineConfig
) -> dict[str, list[Words]]:
    """Return the used words of each memory in pieces, the digest left out."""
    parts: dict[str, list[Words]] = {"weights": [], "indices": []}
    rows: list[dict[str, NDArray[np.int64]]] = []
    descriptors: list[dict[str, int]] = []
    final = len(packed) - 1
    for number, (layer, sections) in enumerate(zip(network.layers, packed, strict=True)):
        where = _destinations(network, number, config.lanes)
        for index, section in enumerate(sections):
            weights = by_step(section.slots.weights, config.rows)
            indices = by_step(section.slots.indices, config.rows)
            parts["weights"].append(pack_array(weights, config.weight_bits))
            parts["indices"].append(pack_indices(indices, section.pattern.k, config))
            rows.append(_row_fields(layer, section, where, config.rows))
            place = {
                "first_of_layer": index == 0,
                "last_of_layer": index == len(sections) - 1,
                "reads_input": number == 0,
                "writes_output": number == final,
            }
            descriptors.append(_section_fields(section, layer, place, config))
    fields = {name: np.concatenate([part[name] for part in rows]) for name in rows[0]}
    parts["rows"] = [pack_struct(row_layout(config), fields)]
    header = {
        "version": [FORMAT_VERSION],
        "sections": [sum(map(len, packed))],
        "input_beats": [network.layers[0].segments(config.lanes).length],
        "outputs": [network.outputs],
        "spare": [0],
    }
    table = {name: [int(fields[name]) for fields in descriptors] for name in SECTION}
    parts["layers"] = [pack_struct(HEADER, header), pack_struct(SECTION, table)]
    return parts


def fit_config(network: IntegerNetwork, *, lanes: int, rows: int, **pinned: object) -> EngineConfig:
    """Return the smallest config that holds `network` on ``lanes * rows`` multipliers.

    Parameters
    ----------
    network : IntegerNetwork
    lanes, rows : int
        S and R.
    **pinned
        Any other field of `EngineConfig`; a pinned depth or width must be large enough.

    Raises
    ------
    TypeError
        If a field is of the wrong kind.
    ValueError
        If a field is out of its range, or the network does not fit its patterns.
    """
    # What the caller says is judged before anything is divided by it.
    EngineConfig(lanes=lanes, rows=rows, **{**_SMALLEST, **pinned})
    index_word_bits = pinned.get("index_word_bits", 12)
    packed = pack_sections(network, lanes)
    sections = [section for layer in packed for section in layer]
    groups = [-(-section.rows.size // rows) for section in sections]
    steps = [
        group * section.slots.weights.shape[2]
        for group, section in zip(groups, sections, strict=True)
    ]
    words = 0
    for count, section in zip(steps, sections, strict=True):
        per_word = indices_per_word(index_word_bits, section.pattern.k)
        words += -(-count // per_word) if per_word else 0
    lengths = [layer.segments(lanes).length for layer in network.layers]
    needed = {
        "weight_bits": network.weight_bits,
        "activation_bits": network.activation_bits,
        "accumulator_bits": max(8, _accumulator_bits(network, packed)),
        "max_k": max(section.pattern.k for section in sections),
        "weight_depth": sum(steps),
        "index_depth": max(1, words),
        "row_depth": sum(groups) * rows,
        "layer_depth": HEADER_WORDS + len(sections),
        "input_depth": lengths[0],
        "hidden_depth": max(lengths[1:], default=1),
        "output_depth": network.outputs,
    }
    return EngineConfig(lanes=lanes, rows=rows, **{**needed, **pinned})


def _accumulator_bits(network: IntegerNetwork, packed: list[list[Section]]) -> int:
    return max(
        signed_bits(
            accumulator_magnitude(
                section.slots.weights.reshape(section.rows.size, -1),
                layer.bias[section.rows],
                network.activation_bits,
            )
        )
        for layer, sections in zip(network.layers, packed, strict=True)
        for section in sections
    )


def _check_fits(network: IntegerNetwork, packed: list[list[Section]], config: EngineConfig) -> None:
    lengths = [layer.segments(config.lanes).length for layer in network.layers]
    needs = {
        "weight_bits": network.weight_bits,
        "accumulator_bits": _accumulator_bits(network, packed),
        "max_k": max(section.pattern.k for layer in packed for section in layer),
        "input_depth": lengths[0],
        "hidden_depth": max(lengths[1:], default=1),
        "output_depth": network.outputs,
    }
    for name, need in needs.items():
        if getattr(config, name) < need:
            raise ValueError(
                f"{name} must be at least {need} for this network, not {getattr(config, name)!r}"
            )
    if config.activation_bits != network.activation_bits:
        raise ValueError(
            f"activation_bits must be the network's {network.activation_bits}, "
            f"not {config.activation_bits!r}"
        )
    if network.layers[-1].relu and config.output_mode is not OutputMode.ACTIVATIONS:
        raise ValueError(
            f"layer {network.layers[-1].name}: the last layer must be without a ReLU, which only "
            f"output_mode activations applies, not {config.output_mode.value!r}"
        )


def pack(network: IntegerNetwork, config: EngineConfig) -> Image:
    """Pack a network for an engine.

    Raises
    ------
    ValueError
        If a capacity or width of `config` is too small, a row does not fit its pattern, or the
        last layer's ReLU would be lost.
    """
    packed = pack_sections(network, config.lanes)
    _check_fits(network, packed, config)
    memories = {}
    for name, pieces in _memories(network, packed, config).items():
        depth, width = memory_shapes(config)[name]
        memory = np.zeros((depth, -(-width // 8)), dtype=np.uint8)
        used = np.concatenate(pieces)
        start = 1 if name == "layers" else 0
        if start + len(used) > depth:
            field = depth_field(name)
            raise ValueError(
                f"{field} must be at least {start + len(used)} for this network, not {depth!r}"
            )
        memory[start : start + len(used)] = used
        memories[name] = memory
    memories["layers"][0] = digest_words(config, memories)
    layers = tuple(
        LayerInfo(layer.name, *layer.shape, layer.columns, layer.align, layer.relu)
        for layer in network.layers
    )
    return Image(config, memories, layers, network.input_scale, tuple(network.output_scales))
