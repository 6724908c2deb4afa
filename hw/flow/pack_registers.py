#!/usr/bin/env python3
"""Move flip-flops of a netlist into the registers of an ECP5's block RAMs and multipliers.

``python3 pack_registers.py NETLIST PACKED`` reads and writes JSON as yosys writes it. Yosys leaves
every register in the fabric, and a block RAM or a multiplier then takes the longest paths of a
design. A flip-flop moves where it does the same in the cell: directly at it, with the clock of the
others at that port, without enable or reset, zero at first. The netlist computes the same, clock
for clock.

This file needs the standard library alone, so that a project can take it along.
"""

from __future__ import annotations

import json
import re
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

_PLAIN = {"CLKMUX": "CLK", "CEMUX": "1", "REGSET": "RESET"}
_PORT = ""
"""Stands for the module among the readers of a bit."""


def _names(prefix: str, count: int = 18) -> list[str]:
    return [f"{prefix}{number}" for number in range(count)]


class Netlist:
    """The cells of a flat netlist, and who drives and reads each bit.

    Parameters
    ----------
    module : dict
        Of yosys' JSON; changed in place.
    """

    def __init__(self, module: dict) -> None:
        self.cells: dict[str, dict] = module["cells"]
        self._driver: dict[int | str, str] = {}
        self._readers: defaultdict[int | str, list[str]] = defaultdict(list)
        for port in module["ports"].values():
            for bit in port["bits"]:
                self._readers[bit].append(_PORT)
        for name, cell in self.cells.items():
            for port, bits in cell["connections"].items():
                for bit in bits:
                    if cell["port_directions"][port] == "output":
                        self._driver[bit] = name
                    else:
                        self._readers[bit].append(name)

    def _clock(self, name: str | None) -> int | None:
        """Return the clock of a plain flip-flop, None of anything else."""
        cell = self.cells.get(name)
        if cell is None or cell["type"] != "TRELLIS_FF":
            return None
        if any(cell["parameters"][key].strip() != value for key, value in _PLAIN.items()):
            return None
        # Without this port there is no reset.
        if cell["connections"].get("LSR", ["0"]) != ["0"]:
            return None
        return cell["connections"]["CLK"][0]

    def _one_clock(self, flip_flops: dict[int, str | None]) -> int | None:
        """Return the clock of flip-flops if all are plain and have the same, else None."""
        clocks = {self._clock(name) for name in flip_flops.values()}
        return clocks.pop() if len(clocks) == 1 else None

    def take_outputs(self, name: str, ports: Sequence[str], clock: int | None = None) -> int | None:
        """Let a cell drive what flip-flops behind it drive, if these take all that it drives.

        Parameters
        ----------
        name : str
            Of the cell.
        ports : sequence of str
            Its outputs of one bit that share a register.
        clock : int, optional
            The flip-flops must have this one.

        Returns
        -------
        int or None
            Their clock; None where nothing was changed.
        """
        connections = self.cells[name]["connections"]
        behind = {}
        for (bit,) in (connections[port] for port in ports if connections.get(port)):
            readers = self._readers[bit]
            if not readers:
                continue
            reader = self.cells.get(readers[0])
            if len(readers) > 1 or reader is None or reader["connections"].get("DI") != [bit]:
                return None
            behind[bit] = readers[0]
        found = self._one_clock(behind)
        if found is None or clock not in (None, found):
            return None
        for port in ports:
            bit = next(iter(connections.get(port, [])), None)
            if bit in behind:
                output = self.cells.pop(behind[bit])["connections"]["Q"]
                connections[port] = output
                self._driver[output[0]] = name
        return found

    def take_inputs(self, name: str, ports: Sequence[str]) -> int | None:
        """Let a cell read what flip-flops before it read, if all its bits come from such.

        Zeros are as good. A flip-flop that others read stays for these. See `take_outputs`.
        """
        connections = self.cells[name]["connections"]
        bits = {connections[port][0] for port in ports} - {"0"}
        before = {bit: self._driver.get(bit) for bit in bits}
        found = self._one_clock(before)
        if found is None:
            return None
        for port in ports:
            bit = connections[port][0]
            if bit in before:
                connections[port] = self.cells[before[bit]]["connections"]["DI"]
                self._readers[connections[port][0]].append(name)
                self._readers[bit].remove(name)
        for bit, flip_flop in before.items():
            if not self._readers[bit]:
                (source,) = self.cells.pop(flip_flop)["connections"]["DI"]
                self._readers[source].remove(flip_flop)
        return found


def pack_block_ram(netlist: Netlist, name: str) -> None:
    """Move the register behind each read port of a DP16KD into it."""
    cell = netlist.cells[name]
    parameters, connections = cell["parameters"], cell["connections"]
    widths = [int(parameters[f"DATA_WIDTH_{side}"], 2) for side in "AB"]
    # Of 36 bits, both outputs belong to port B.
    groups = {"AB": "B"} if 36 in widths else {"A": "A", "B": "B"}
    for outputs, side in groups.items():
        held = any(parameters[f"REGMODE_{output}"] != "NOREG" for output in outputs)
        if held or connections.get(f"RST{side}", ["0"]) != ["0"]:
            continue
        (clock,) = connections[f"CLK{side}"]
        ports = [port for output in outputs for port in _names(f"DO{output}")]
        if netlist.take_outputs(name, ports, clock) is not None:
            for output in outputs:
                parameters[f"REGMODE_{output}"] = "OUTREG"
            connections[f"OCE{side}"] = ["1"]


def pack_multiplier(netlist: Netlist, name: str) -> None:
    """Move the registers before both operands of a MULT18X18D into it, and then those behind it.

    Nextpnr does not know the timing of a multiplier with a register before one operand alone.
    """
    cell = netlist.cells[name]
    fixed = ("SIGNEDA", "SIGNEDB", "SOURCEA", "SOURCEB")
    if any(cell["connections"][port][0] not in ("0", "1") for port in fixed):
        return
    if any(re.fullmatch(r"REG_\w+_CLK", key) for key in cell["parameters"]):
        return
    clock = netlist.take_inputs(name, [*_names("A"), *_names("B")])
    if clock is None:
        return
    registers = ["INPUTA", "INPUTB"]
    if netlist.take_outputs(name, _names("P", 36), clock) is not None:
        registers.append("OUTPUT")
    for register in registers:
        cell["parameters"] |= {
            f"REG_{register}_CLK": "CLK0",
            f"REG_{register}_CE": "CE0",
            f"REG_{register}_RST": "RST0",
        }
    for port, bit in {"CLK0": clock, "CE0": "1", "RST0": "0"}.items():
        cell["port_directions"][port] = "input"
        cell["connections"][port] = [bit]


_PACKERS = {"DP16KD": pack_block_ram, "MULT18X18D": pack_multiplier}


def pack_registers(design: dict) -> dict:
    """Return a design with its flip-flops moved; see the module.

    Parameters
    ----------
    design : dict
        Flat, of yosys' JSON; changed in place.
    """
    for module in design["modules"].values():
        if int(module["attributes"].get("top", "0"), 2):
            netlist = Netlist(module)
            for name in list(module["cells"]):
                pack = _PACKERS.get(module["cells"].get(name, {}).get("type"))
                if pack is not None:
                    pack(netlist, name)
    return design


def main(arguments: Sequence[str]) -> int:
    """Read the first file, write the second."""
    if len(arguments) != 2:
        print("usage: pack_registers.py NETLIST PACKED", file=sys.stderr)
        return 2
    source, target = map(Path, arguments)
    target.write_text(json.dumps(pack_registers(json.loads(source.read_text()))))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
