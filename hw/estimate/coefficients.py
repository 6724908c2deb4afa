"""How many look-up tables and flip-flops the quantities of an engine take in each family.

Fitted by ``bench/resource_calibration.py --fit`` to bench/resource_rows.json: yosys 0.70 and
nextpnr 0.11 for ECP5, iCE40 and Gowin, every row within 5 %. For xilinx yosys 0.70 alone, with all
products in logic, which the fit then takes off; Vivado's own counts are not known to it, and it
will move registers into multipliers that are counted here as flip-flops. Those that are whole are
known: an adder takes a look-up table a bit, a LUT RAM four.
"""

from __future__ import annotations

from darb.hw.boards.devices import Family

LUTS: dict[Family, dict[str, float]] = {
    Family.ECP5: {
        "adder_bits": 1.0,
        "accumulator_bits": 1.0,
        "lut_rams": 4.0,
        "rom_bits": 0.0625,
        "activation_bits": 2.113,
        "arg_max": 82.025,
        "block_choices": 1.592,
        "choices": 0.841,
        "control": 1556.74,
        "loading": 291.522,
        "memory_choices": 1.424,
        "post_bits": 19.23,
        "queue_bits": 0.399,
    },
    Family.ICE40: {
        "adder_bits": 1.0,
        "rom_bits": 0.0625,
        "block_choices": 0.708,
        "choices": 0.646,
        "control": 1387.846,
        "ffs": 0.697,
        "loading": 243.583,
        "memory_bits": 0.513,
        "old_bits": 1.367,
        "post_bits": 14.331,
        "product_bits": 2.993,
    },
    Family.GOWIN: {
        "adder_bits": 1.0,
        "rom_bits": 0.0625,
        "activation_bits": 1.966,
        "arg_max": 129.961,
        "choices": 0.757,
        "control": 1267.499,
        "ffs": 0.563,
        "loading": 461.124,
        "memory_choices": 2.093,
        "old_words": 7.27,
        "post_bits": 43.44,
        "product_bits": 6.038,
    },
    Family.XILINX: {
        "adder_bits": 1.0,
        "lut_rams": 4.0,
        "rom_bits": 0.0156,
        "block_choices": 0.935,
        "choices": 0.403,
        "control": 920.223,
        "loading": 62.321,
        "memory_choices": 0.564,
        "product_bits": 2.284,
    },
}
"""Look-up tables, as nextpnr counts them, for one of each:

adder_bits, accumulator_bits, queue_bits: bits of the adders, of what clears an accumulator, of the
row queue. product_bits: bits of one operand times bits of the other, in logic. choices: inputs of
the decoder's multiplexers. activation_bits: bits of the multiplexers behind the banks. lut_rams:
cells. memory_choices, block_choices: bits times ranges of words less one, behind LUT RAMs and block
RAMs. old_words, old_bits: block RAMs that have to give the old word beside a write, and their bits.
memory_bits, rom_bits: bits of memories in logic. post_bits: bits of the accumulator that the row
post-processor works on. arg_max, loading: the parts of that name. control: the rest, once. ffs:
flip-flops, where those without a look-up table before them take one's place.
"""

FFS: dict[Family, dict[str, float]] = {
    Family.ECP5: {
        "control": 920.19,
        "loading": 61.126,
        "old_bits": 1.261,
    },
    Family.ICE40: {
        "control": 951.927,
        "loading": 57.237,
        "old_bits": 1.041,
    },
    Family.GOWIN: {
        "control": 917.824,
        "loading": 58.979,
        "old_bits": 1.33,
    },
    Family.XILINX: {
        "control": 925.236,
        "loading": 55.717,
    },
}
"""Flip-flops beyond the registers' bits: control, loading, old_words and old_bits as above."""
