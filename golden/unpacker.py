"""From an image back to its network, trusting nothing that it says."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from darb.golden.image import Image, ImageError
from darb.golden.image_walk import PackedLayer, PackedSection, read_layers
from darb.golden.memory_map import memory_shapes
from darb.golden.network import IntegerLayer, IntegerNetwork
from darb.golden.packer import pack
from darb.golden.packing import Slots, empty_slots
from darb.golden.pattern import Pattern


def _row_numbers(
    layer: PackedLayer, section: PackedSection, after: PackedLayer | None
) -> NDArray[np.int64]:
    """Return the original row of each stored row, from its destination."""
    real = np.flatnonzero(section.stored)
    bank, address = section.rows["bank"][real], section.rows["address"][real]
    if after is None:
        good, numbers = address < layer.info.rows, address
    else:
        position = bank * after.segments.length + address
        good = (address < after.segments.length) & (position < after.info.order.size)
        numbers = after.info.order[np.where(good, position, 0)].astype(np.int64)
    if not good.all():
        row = int(np.argmin(good))
        raise ImageError(
            f"rows.mem: word {section.first_row + int(real[row])}: the destination must lie in "
            f"the buffer after layer {layer.info.name}, not at bank {int(bank[row])}, address "
            f"{int(address[row])}"
        )
    return numbers


def _check_claims(section: PackedSection, numbers: NDArray[np.int64], seen: NDArray) -> None:
    """Refuse a destination that an earlier row has, of this section or, in `seen`, of others."""
    again = seen[numbers]
    first = np.unique(numbers, return_index=True)[1]
    again[np.setdiff1d(np.arange(numbers.size), first)] = True
    if again.any():
        word = section.first_row + int(np.flatnonzero(section.stored)[np.argmax(again)])
        raise ImageError(
            f"rows.mem: word {word}: the destination must be this row's own, not an earlier row's"
        )


def _unpack_layer(layer: PackedLayer, after: PackedLayer | None) -> IntegerLayer:
    info = layer.info
    m, n = info.rows, info.columns
    weights = np.zeros((m, n), dtype=np.int8)
    fields = {name: np.zeros(m, dtype=np.int64) for name in ("bias", "multiplier")}
    fields["shift"] = np.ones(m, dtype=np.int64)
    patterns = [Pattern(0)] * m
    seen = np.zeros(m, dtype=bool)
    for section in layer.sections:
        numbers = _row_numbers(layer, section, after)
        _check_claims(section, numbers, seen)
        seen[numbers] = True
        real = section.stored
        slots = Slots(section.slots.weights[real], section.slots.indices[real])
        try:
            weights[numbers] = empty_slots(
                slots, section.pattern, layer.segments, columns=info.order, width=n
            )
        except ValueError as error:
            raise ImageError(f"indices.mem: layer {info.name}, packed {error}") from None
        for name, column in fields.items():
            column[numbers] = section.rows[name][real]
        for number in numbers:
            patterns[number] = section.pattern
    expected = m if after is None else after.info.order.size
    if seen.sum() != expected:
        raise ImageError(
            f"rows.mem: layer {info.name} must store {expected} rows, not {int(seen.sum())}"
        )
    return IntegerLayer(
        name=info.name,
        weights=weights,
        relu=info.relu,
        patterns=tuple(patterns),
        columns=info.order,
        align=info.align,
        **fields,
    )


def unpack(image: Image) -> IntegerNetwork:
    """Return the network that an image holds: ``unpack(pack(n)) == n.drop_dead_rows()``.

    Raises
    ------
    ImageError
        If the memories contradict one another, or hold anything that `pack` would not write;
        names the memory, the word and the reason.
    """
    layers = read_layers(image)
    config = image.config
    followers = (*layers[1:], None)
    try:
        network = IntegerNetwork(
            layers=tuple(
                _unpack_layer(layer, after) for layer, after in zip(layers, followers, strict=True)
            ),
            weight_bits=config.weight_bits,
            activation_bits=config.activation_bits,
            input_scale=image.input_scale,
            output_scales=image.output_scales,
        )
        again = pack(network, config)
    except ImageError:
        raise
    except ValueError as error:
        raise ImageError(f"the image contradicts itself: {error}") from None
    for name in memory_shapes(config):
        differs = (again.memories[name] != image.memories[name]).any(axis=1)
        if name == "layers" and differs[1:].any():
            # The digest differs as well then, but it is not what was changed.
            differs[0] = False
        if differs.any():
            raise ImageError(
                f"{name}.mem: word {int(np.argmax(differs))} is not what packing its own "
                "content gives"
            )
    return network
