"""Widths and fields of the words in the four image memories.

The packer writes these words, the golden model and the engine read them; no other place knows a
bit position.
"""

from __future__ import annotations

from darb.golden.config import EngineConfig
from darb.golden.fixed_point import BIAS_BITS, MULTIPLIER_BITS, SHIFT_BITS

FORMAT_VERSION = 1
MEMORIES = ("weights", "indices", "rows", "layers")
LAYER_WORD_BITS = 96
HEADER_WORDS = 2
"""Words of the layer memory before its first descriptor: the digest, then the header."""

HEADER = {"version": 8, "sections": 16, "input_beats": 16, "outputs": 17, "spare": 39}

SECTION = {
    "groups": 16,
    "period": 14,
    "lead": 14,
    "k": 4,
    "keep": 8,
    "per_word": 6,
    "first_of_layer": 1,
    "last_of_layer": 1,
    "reads_input": 1,
    "writes_output": 1,
    "relu": 1,
    "spare": 29,
}
"""One section's descriptor. Counts are stored less one.

groups: row groups. period: clocks a group. lead: clocks of them before its first step, where the
row post-processor needs more time than the steps; not less one. k, keep: the pattern. per_word:
indices in a field of an index word.
reads_input: the first layer. writes_output: the last layer.
"""


def address_bits(depth: int) -> int:
    """Return the width of an address that reaches `depth` words, at least 1."""
    return max(1, (depth - 1).bit_length())


def row_layout(config: EngineConfig) -> dict[str, int]:
    """Return the fields of a row word: name to width in bits, lowest first.

    `store` is 0 for the padding rows of a group. A row of the last layer goes to `address` of the
    output buffer; any other to `address` of activation bank `bank`.
    """
    return {
        "bias": BIAS_BITS,
        "multiplier": MULTIPLIER_BITS,
        "shift": SHIFT_BITS,
        "store": 1,
        "bank": address_bits(config.lanes),
        "address": max(address_bits(config.hidden_depth), address_bits(config.output_depth)),
    }


def memory_shapes(config: EngineConfig) -> dict[str, tuple[int, int]]:
    """Return (depth, width in bits) of each image memory."""
    return {
        "weights": (config.weight_depth, config.multipliers * config.weight_bits),
        "indices": (config.index_depth, config.multipliers * config.index_word_bits),
        "rows": (config.row_depth, sum(row_layout(config).values())),
        "layers": (config.layer_depth, LAYER_WORD_BITS),
    }


def indices_per_word(index_word_bits: int, k: int) -> int:
    """Return how many k-bit indices share one field; 0 where k = 0 stores none."""
    return index_word_bits // k if k else 0


def depth_field(memory: str) -> str:
    """Return the name of the config field that holds the depth of `memory`."""
    return {
        "weights": "weight_depth",
        "indices": "index_depth",
        "rows": "row_depth",
        "layers": "layer_depth",
    }[memory]
