"""The memories that hold a rival engine's layer."""

from __future__ import annotations

from darb.golden.baselines.config import BaselineConfig
from darb.golden.bitfields import Words
from darb.hw.memory import Rom


def layer_memory(config: BaselineConfig, name: str, memories: dict[str, Words]) -> Rom:
    """Return a memory of `config`; generated Verilog reads it from ``<name>.mem``.

    Parameters
    ----------
    config : BaselineConfig
    name : str
        Of ``config.memory_shapes``.
    memories : dict of str to ndarray of uint8
        Contents in Amaranth's simulator; where `name` is not among them they are zero.
    """
    depth, width = config.memory_shapes[name]
    init = [int.from_bytes(word.tobytes(), "little") for word in memories.get(name, ())]
    return Rom(width=width, depth=depth, file=f"{name}.mem", init=init)
