"""What an engine on a board is built of, in the quantities that its logic grows with.

A quantity counts bits, choices or copies; `darb.hw.estimate.coefficients` says how many look-up
tables and flip-flops one of them takes in each family. Flip-flops are counted as they stand in the
generators: a register's bits, less those that nothing reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from darb.golden.config import EngineConfig, OutputMode
from darb.golden.fixed_point import MULTIPLIER_BITS
from darb.golden.frame import frame_capacity
from darb.golden.memory_map import address_bits, row_layout
from darb.golden.pipeline import FETCH, GATHER, MULTIPLY, POST, reduce_latency
from darb.golden.register_map import Storage
from darb.hw.boards.devices import Family
from darb.hw.estimate.engine_memories import EngineMemory, output_bits
from darb.hw.estimate.memory_cells import MemoryKind
from darb.hw.estimate.memory_mapping import MemoryMapping, MemoryUse
from darb.hw.estimate.multipliers import product_multipliers
from darb.hw.section_fetch import bank_address_bits

_REGISTERED = (Family.ECP5, Family.ICE40)
"""Families whose multipliers take in the registers around them."""
Mapped = Mapping[str, tuple[EngineMemory, MemoryMapping]]


@dataclass(frozen=True)
class Quantities:
    """What one component is built of.

    Parameters
    ----------
    luts : dict of str to float
        By the names in `darb.hw.estimate.coefficients`.
    register_bits : int
        Flip-flops for certain.
    ffs : dict of str to float
        Quantities that take further ones.
    """

    luts: dict[str, float] = field(default_factory=dict)
    register_bits: int = 0
    ffs: dict[str, float] = field(default_factory=dict)


def _choices(config: EngineConfig) -> int:
    """Return the inputs of the multiplexers before one decoder's shift register."""
    bits, most = config.index_word_bits, config.max_k
    shifted = sum(min(most, bits - 1 - bit) for bit in range(bits))
    # Each bit may also come from the index word.
    return shifted + bits


def _memory(memories: Mapped, name: str) -> Quantities:
    """Return what stands around the memories of one name."""
    memory, mapping = memories[name]
    copies, bits = memory.copies, mapping.width
    if not bits:
        return Quantities()
    working = memory.use is MemoryUse.RAM
    if mapping.kind is MemoryKind.LOGIC:
        if memory.use is MemoryUse.ROM:
            # What is the same in all words takes the registers behind it along.
            known = {"known_layers": 1} if name == "layers" else {}
            return Quantities({"rom_bits": mapping.depth * bits, **known}, bits, known)
        held = copies * mapping.depth * bits
        return Quantities({"memory_bits": held}, held + copies * bits)
    choices = copies * bits * (mapping.ranges - 1)
    if mapping.kind is MemoryKind.LUT_RAM:
        luts = {
            "lut_rams": copies * mapping.cells,
            "memory_choices": choices,
        }
        return Quantities(luts, copies * bits)
    if not working:
        return Quantities({"block_choices": choices})
    return Quantities(
        {"old_words": copies, "old_bits": copies * bits, "block_choices": choices},
        0,
        {"old_words": copies, "old_bits": copies * bits},
    )


def _joined(*parts: Quantities) -> Quantities:
    luts: dict[str, float] = {}
    ffs: dict[str, float] = {}
    for part in parts:
        for total, more in ((luts, part.luts), (ffs, part.ffs)):
            for name, value in more.items():
                total[name] = total.get(name, 0) + value
    return Quantities(luts, sum(part.register_bits for part in parts), ffs)


def _dot_products(config: EngineConfig, family: Family) -> Quantities:
    product = config.activation_bits + config.weight_bits
    widths = [
        product + level
        for level in range(1, reduce_latency(config) + 1)
        for _ in range(config.rows * (config.lanes >> level))
    ]
    luts = {"adder_bits": _adder_bits(widths, family)}
    if not product_multipliers(family, config):
        luts["product_bits"] = config.multipliers * config.activation_bits * config.weight_bits
    # Hard multipliers of these have registers of their own, an iCE40's an adder as well.
    inside = family in _REGISTERED and product_multipliers(family, config)
    operands = 0 if inside else 2 * config.multipliers * product
    added = 0 if inside and family is Family.ICE40 else sum(widths)
    return Quantities(luts, operands + added)


def _adder_bits(widths: list[int], family: Family) -> int:
    """Return the bits of adders; ECP5 builds them in pairs."""
    return sum(width + width % 2 if family is Family.ECP5 else width for width in widths)


def _accumulators(config: EngineConfig, family: Family) -> Quantities:
    rows, bits = config.rows, config.accumulator_bits
    luts = {
        "adder_bits": _adder_bits([bits] * rows, family),
        "accumulator_bits": rows * bits,
        "queue_bits": rows * bits if rows > 1 else 0,
    }
    return Quantities(luts, 2 * rows * bits)


def _decoder(config: EngineConfig) -> Quantities:
    base = bank_address_bits(config)
    if not config.max_k:
        return Quantities({}, 2 * base)
    count = config.multipliers
    return Quantities(
        {"choices": count * _choices(config)},
        # The step and its k a clock later, a bit for each way to go on, the mask, the base.
        count * (config.index_word_bits + base) + 5 + (config.max_k + 1) + config.max_k + base,
    )


def _banks(config: EngineConfig, memories: Mapped) -> Quantities:
    bits = config.multipliers * config.activation_bits
    loaded = config.lanes * config.activation_bits + address_bits(config.input_depth) + 2
    return _joined(
        Quantities({"activation_bits": bits}, bits + config.lanes + loaded),
        _memory(memories, "input banks"),
        _memory(memories, "hidden banks"),
    )


def _image(config: EngineConfig, family: Family, memories: Mapped) -> Quantities:
    names = ("weights", "indices", "rows", "layers")
    # An ECP5's block RAM has the output register, unless there is a choice before it.
    registers = sum(
        memory.width - len(memory.unread)
        for memory, mapping in map(memories.get, names)
        if family is not Family.ECP5
        or mapping.kind is not MemoryKind.BLOCK_RAM
        or mapping.ranges > 1
    )
    addresses = sum(address_bits(getattr(config, f"{name[:-1]}_depth")) for name in names[2:])
    addresses += address_bits(config.weight_depth)
    addresses += address_bits(config.index_depth) if config.max_k else 0
    return _joined(
        Quantities({}, registers + addresses), *(_memory(memories, name) for name in names)
    )


def _post_processor(config: EngineConfig, family: Family) -> Quantities:
    bits, fields = config.accumulator_bits, row_layout(config)
    product = bits + MULTIPLIER_BITS
    # The sum with its bias, the multiplier, the parts of the product: with the multipliers.
    multiplied = 0 if family in _REGISTERED else bits + MULTIPLIER_BITS + product
    # The product and what is left of it by eights; the places three clocks long, then the rest of
    # them; what is shifted, its sign and what is above; the result; whether there is a ReLU.
    shifted = config.activation_bits + 7 + 3
    requantisation = 2 * product + 3 * 6 + 3 + shifted + config.activation_bits + POST - 1
    before = bits if family is Family.ECP5 else 0
    kept = 0 if config.output_mode is OutputMode.ACTIVATIONS else before + (POST - 1) * bits
    places = POST * fields["address"] + (POST - 1) * fields["bank"]
    return Quantities({"post_bits": bits}, multiplied + requantisation + kept + places)


def _output(config: EngineConfig, memories: Mapped) -> Quantities:
    parts = [
        Quantities({}, output_bits(config) + 3 * address_bits(config.output_depth)),
        _memory(memories, "output buffer"),
    ]
    if config.output_mode is OutputMode.ARGMAX:
        parts.append(Quantities({"arg_max": 1}, 3 * 16 + config.accumulator_bits))
    return _joined(*parts)


def _control(config: EngineConfig) -> Quantities:
    base = bank_address_bits(config)
    # valid, first, last, final, writes_output, write_half, relu travel to the sum.
    to_sum = 7 * (GATHER + MULTIPLY + reduce_latency(config))
    return Quantities({"control": 1}, FETCH * 2 * base + to_sum + 4 * base, {"control": 1})


def _link(config: EngineConfig, storage: Storage, memories: Mapped) -> Quantities:
    shift = 8 * max(config.lanes, 4)
    bits = address_bits(frame_capacity(config, storage))
    return _joined(Quantities({}, shift + 4 * bits), _memory(memories, "frame buffer"))


def _loading(config: EngineConfig, storage: Storage, memories: Mapped) -> Quantities:
    if storage is Storage.ROM:
        return Quantities()
    names = ("weights", "indices", "rows", "layers")
    held = [memories[name][0] for name in names]
    pieces = max(-(-memory.width // 32) for memory in held)
    deepest = max(memory.depth for memory in held)
    return Quantities({"loading": 1}, 32 * pieces + 2 * address_bits(deepest), {"loading": 1})


def board_quantities(
    config: EngineConfig, storage: Storage, family: Family, memories: Mapped
) -> dict[str, Quantities]:
    """Return the quantities of each component of an engine behind its host link.

    Parameters
    ----------
    config : EngineConfig
    storage : Storage
    family : Family
    memories : mapping of str to (EngineMemory, MemoryMapping)
        By name: what `engine_memories` lists.
    """
    return {
        "multipliers and adder trees": _dot_products(config, family),
        "accumulators and row queue": _accumulators(config, family),
        "block-index decoder": _decoder(config),
        "activation banks": _banks(config, memories),
        "image memories": _image(config, family, memories),
        "row post-processor": _post_processor(config, family),
        "output buffer": _output(config, memories),
        "host link's buffers": _link(config, storage, memories),
        "image loader": _loading(config, storage, memories),
        "control, registers, host link": _control(config),
    }
