"""The engine's latencies in clocks, from which its cycle counts follow.

Each records how many registers a part of the engine has. The generator delays what travels beside
the data by them and the golden model adds them up, so that the engine agrees with itself, and the
model with it, only where they are true.
"""

from __future__ import annotations

from darb.golden.config import EngineConfig

BOOT = 5
"""Clocks out of reset until the header words are read and the first beat is taken."""
ISSUE = 1
"""Sequencer state to registered step."""
FETCH = 2
"""Memory address to data: array read, then output register."""
DECODE = 1
"""Index word to the decoder's shift register."""
ADDRESS = 1
"""Decoder to activation bank address."""
GATHER = 2
"""Bank address to activation: array read, then the register that picks the buffer."""
MULTIPLY = 2
"""Operands to product: a register before the multiplier and one behind it."""
ACCUMULATE = 1
"""Adder tree to accumulator."""
CAPTURE = 1
"""Accumulators to the shift register that feeds the row post-processor."""
POST = 6
"""Row post-processor: bias, product in parts, their sum, two for the shift, round and saturate."""
SECTION_FETCH = 4
"""A section lasts at least this long, so that the next descriptor is at hand when it ends."""


def reduce_latency(config: EngineConfig) -> int:
    """Return the registers of an adder tree over the lanes."""
    return (config.lanes - 1).bit_length()


def step_to_read(config: EngineConfig) -> int:
    """Return the clocks from a step's sequencer state to its bank address."""
    return ISSUE + FETCH + DECODE + ADDRESS


def step_to_capture(config: EngineConfig) -> int:
    """Return the clocks from a row's last step to its sum standing before the post-processor."""
    return step_to_read(config) + GATHER + MULTIPLY + reduce_latency(config) + ACCUMULATE + CAPTURE


def step_to_write(config: EngineConfig) -> int:
    """Return the clocks from a group's last step to the write of its last row."""
    return step_to_capture(config) + config.rows - 1 + POST


def layer_gap(config: EngineConfig) -> int:
    """Return the idle clocks between the last step of a layer and the first of the next.

    The next layer's first bank address must stand one clock after the last write.
    """
    return step_to_write(config) - step_to_read(config)


def group_period(steps: int, groups: int, rows: int) -> int:
    """Return the clocks a row group takes: its steps, or what the post-processor needs.

    The post-processor takes one row a clock; a section lasts until the next descriptor is at hand.
    """
    return max(steps, rows, -(-SECTION_FETCH // groups))
