"""How many look-up tables and flip-flops the quantities of an engine take in each family.

Fitted by ``bench/resource_fit.py`` to bench/resource_rows.json, every row within 5 %: yosys 0.70
and nextpnr 0.11 for ECP5, iCE40 and Gowin. For xilinx yosys 0.70 alone, with all products in logic,
which the fit then takes off; Vivado's own counts are not known to it, and it will move registers
into multipliers that are counted here as flip-flops. Those that are whole are known: an adder takes
a look-up table a bit, a LUT RAM four. known_layers is from two builds for iCE40 in
bench/resource_facts.json.
"""

from __future__ import annotations

from darb.hw.boards.devices import Family

LUTS: dict[Family, dict[str, float]] = {
    Family.ECP5: {
        "adder_bits": 1.0,
        "accumulator_bits": 1.0,
        "lut_rams": 4.0,
        "rom_bits": 0.0625,
        "activation_bits": 1.589,
        "arg_max": 89.706,
        "block_choices": 0.852,
        "choices": 0.838,
        "control": 1629.264,
        "known_layers": -42.0,
        "loading": 322.312,
        "memory_choices": 1.594,
        "old_bits": 1.235,
        "old_words": 1.437,
        "post_bits": 15.403,
    },
    Family.ICE40: {
        "adder_bits": 1.0,
        "rom_bits": 0.0625,
        "accumulator_bits": 0.819,
        "block_choices": 0.362,
        "choices": 0.573,
        "control": 912.08,
        "ffs": 0.959,
        "known_layers": -42.0,
        "loading": 205.615,
        "memory_bits": 0.52,
        "post_bits": 10.683,
        "product_bits": 2.964,
    },
    Family.GOWIN: {
        "adder_bits": 1.0,
        "rom_bits": 0.0625,
        "arg_max": 22.168,
        "block_choices": 0.885,
        "choices": 0.765,
        "control": 1435.812,
        "ffs": 0.819,
        "known_layers": -42.0,
        "loading": 439.411,
        "memory_choices": 1.859,
        "old_bits": 1.022,
        "post_bits": 13.847,
        "product_bits": 5.414,
    },
    Family.XILINX: {
        "adder_bits": 1.0,
        "lut_rams": 4.0,
        "rom_bits": 0.0156,
        "block_choices": 1.377,
        "choices": 0.531,
        "control": 1007.806,
        "known_layers": -42.0,
        "loading": 64.396,
        "memory_choices": 0.43,
        "post_bits": 4.576,
        "product_bits": 2.084,
    },
}
"""Look-up tables, as nextpnr counts them, for one of each:

adder_bits, accumulator_bits, queue_bits: bits of the adders, of what clears an accumulator, of the
row queue. product_bits: bits of one operand times bits of the other, in logic. choices: inputs of
the decoder's multiplexers. activation_bits: bits of the multiplexers behind the banks. lut_rams:
cells. memory_choices, block_choices: bits times ranges of words less one, behind LUT RAMs and block
RAMs. old_words, old_bits: block RAMs that have to give the old word beside a write, and their bits.
memory_bits, rom_bits: bits of memories in logic. known_layers: section descriptors in logic, where
what is the same in all of them spares more than they take. post_bits: bits of the accumulator that
the row post-processor works on. arg_max, loading: the parts of that name. control: the rest, once.
ffs: flip-flops, where those without a look-up table before them take one's place.
"""

FFS: dict[Family, dict[str, float]] = {
    Family.ECP5: {
        "control": 982.056,
        "known_layers": -285.0,
        "loading": 64.052,
        "old_bits": 1.254,
    },
    Family.ICE40: {
        "control": 1027.547,
        "known_layers": -285.0,
        "loading": 72.265,
        "old_bits": 1.735,
    },
    Family.GOWIN: {
        "control": 994.721,
        "known_layers": -285.0,
        "loading": 59.709,
        "old_bits": 1.456,
    },
    Family.XILINX: {
        "control": 821.952,
        "known_layers": -285.0,
        "loading": 49.909,
    },
}
"""Flip-flops beyond the registers' bits: control, loading, known_layers and old_bits as above."""
