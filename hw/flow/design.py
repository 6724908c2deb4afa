"""The files of a board's design, as the tools read them."""

from __future__ import annotations

from dataclasses import dataclass

from darb.hw.board_top import TOP

BOARD_VERILOG = "top.v"
MAPPED = "mapped.json"
"""The netlist where another step follows before it is placed."""
NETLIST = "netlist.json"
PLACED = "placed.json"
TIMING = "timing.json"
SCOPES = "scopes.txt"


@dataclass(frozen=True, kw_only=True)
class Design:
    """A board's Verilog, and what lies beside it in the build directory.

    Parameters
    ----------
    constraints : str
        Name of the constraint file.
    memories : tuple of str
        Names of the files that the Verilog reads with $readmemh; none in storage ``ram``.
    exchangeable : bool
        Keep every image memory in block RAM of its own and fill whole rows of it, so that its
        contents can be exchanged once the design is placed.
    clock_hz : float
        Clock that the design must reach.
    seed : int
        Of placement.
    judged_later : bool
        A missed clock is told from the report, not by a tool that stops.
    """

    constraints: str
    memories: tuple[str, ...]
    exchangeable: bool
    clock_hz: float
    seed: int = 1
    judged_later: bool = False

    def synthesis_script(self, command: str, *, grain: int, netlist: str = NETLIST) -> str:
        """Return a yosys script from Verilog to netlist.

        Parameters
        ----------
        command : str
            Yosys' synthesis command for the family, options included.
        grain : int
            Words of the family's widest block RAM.
        netlist : str
            File to write.
        """
        padded = self.exchangeable and self.memories
        read = read_command(BOARD_VERILOG, grain=grain if padded else None)
        return f"{read}; {mapping_commands(command, TOP, scopes=SCOPES)} -json {netlist}"

    @property
    def synthesis_inputs(self) -> tuple[str, ...]:
        """Files that synthesis reads."""
        return (BOARD_VERILOG, *self.memories)

    @property
    def nextpnr_arguments(self) -> tuple[str, ...]:
        """Options that every nextpnr takes."""
        return (
            *("--json", NETLIST, "--write", PLACED, "--report", TIMING),
            *("--freq", f"{self.clock_hz / 1e6:g}", "--seed", str(self.seed)),
            *(("--timing-allow-fail",) if self.judged_later else ()),
        )


def read_command(verilog: str, *, grain: int | None) -> str:
    """Return yosys' command that reads a file; with `grain`, ROMs fill whole block RAM rows."""
    define = "" if grain is None else f"-D DARB_ROM_GRAIN={grain} "
    return f"read_verilog {define}{verilog}"


def mapping_commands(command: str, top: str, *, scopes: str | None = None) -> str:
    """Return yosys' commands from what was read to a netlist, open for options of the last.

    ABC9 keeps every signal that has a name, read or not. In yosys' build for WebAssembly it stops
    without a word where these are some ten thousand, so those that nothing reads go before it. With
    them go the marks of the hierarchy, which are listed in the file `scopes` first.
    """
    whole = f"{command} -top {top}"
    if command.partition(" ")[0] != "synth_ecp5":
        return whole
    listed = "" if scopes is None else f"tee -q -o {scopes} select -list t:$scopeinfo; "
    return f"{whole} -run begin:map_luts; {listed}opt_clean -purge; {whole} -run map_luts:"


PHASES = {
    r"Packing constants": "pack",
    r"Creating initial (analytic )?placement|Running main analytical placer": "place",
    r"^Info: Routing\.\.|Setting up routing queue|Running router": "route",
}
"""Lines of nextpnr's log, and the phase that begins there."""
