"""Every memory of an engine, as synthesis meets it."""

from __future__ import annotations

from dataclasses import dataclass

from darb.golden.config import EngineConfig, OutputMode
from darb.golden.frame import frame_capacity
from darb.golden.memory_map import address_bits, memory_shapes, row_layout
from darb.golden.register_map import Storage
from darb.hw.estimate.memory_mapping import MemoryUse


@dataclass(frozen=True, kw_only=True)
class EngineMemory:
    """Memories of one shape.

    Parameters
    ----------
    name : str
        Of the image memory, or of the component that has them.
    copies : int
    depth, width : int
        Words and bits a word.
    use : MemoryUse
    unread : range
        Bits of each word that nothing reads.
    """

    name: str
    copies: int = 1
    depth: int
    width: int
    use: MemoryUse
    unread: range = range(0)


def output_bits(config: EngineConfig) -> int:
    """Return the bits of a word of the output buffer."""
    requantised = config.output_mode is OutputMode.ACTIVATIONS
    return config.activation_bits if requantised else config.accumulator_bits


def _unread(config: EngineConfig) -> dict[str, range]:
    """Return the bits of the image memories' words that nothing reads."""
    no_indices = 0 if config.max_k else config.multipliers * config.index_word_bits
    bias = row_layout(config)["bias"]
    return {"rows": range(config.accumulator_bits, bias), "indices": range(no_indices)}


def image_memories(config: EngineConfig, storage: Storage) -> tuple[EngineMemory, ...]:
    """Return the four memories that hold the image."""
    use = MemoryUse.ROM if storage is Storage.ROM else MemoryUse.LOADABLE_ROM
    unread = _unread(config)
    return tuple(
        EngineMemory(
            name=name, depth=depth, width=width, use=use, unread=unread.get(name, range(0))
        )
        for name, (depth, width) in memory_shapes(config).items()
    )


def working_memories(config: EngineConfig) -> tuple[EngineMemory, ...]:
    """Return the activation banks' memories and the output buffer's."""
    return (
        *(
            EngineMemory(
                name=name,
                copies=config.multipliers,
                depth=2 << address_bits(depth),
                width=config.activation_bits,
                use=MemoryUse.RAM,
            )
            for name, depth in (
                ("input banks", config.input_depth),
                ("hidden banks", config.hidden_depth),
            )
        ),
        EngineMemory(
            name="output buffer",
            depth=2 << address_bits(config.output_depth),
            width=output_bits(config),
            use=MemoryUse.RAM,
        ),
    )


def frame_buffer(config: EngineConfig, storage: Storage) -> EngineMemory:
    """Return the host link's buffer: two frames of bytes."""
    return EngineMemory(
        name="frame buffer",
        depth=2 * frame_capacity(config, storage),
        width=8,
        use=MemoryUse.LOADABLE_ROM,
    )


def all_memories(config: EngineConfig, storage: Storage) -> tuple[EngineMemory, ...]:
    """Return every memory of an engine behind its host link."""
    return (
        *image_memories(config, storage),
        *working_memories(config),
        frame_buffer(config, storage),
    )
