"""How each place-and-route tool is told which chip a board has."""

from __future__ import annotations

from darb.hw.boards.board import Board
from darb.hw.boards.devices import Family

_ECP5_SIZES = {
    "LFE5U-12F": "--12k",
    "LFE5U-25F": "--25k",
    "LFE5U-45F": "--45k",
    "LFE5U-85F": "--85k",
    "LFE5UM5G-85F": "--um5g-85k",
}
# Lattice has two names for each package: the one in part numbers and the one in nextpnr.
_ECP5_PACKAGES = {"BG381": "CABGA381", "BG554": "CABGA554", "MG285": "CSFBGA285"}
_ICE40_SIZES = {"iCE40UP5K": "--up5k"}
# The R is the memory beside the FPGA in the same package, of which nextpnr knows nothing.
_GOWIN_FAMILIES = {"GW1NR-9C": "GW1N-9C"}


def chip_options(board: Board) -> tuple[str, ...]:
    """Return the options that name the chip.

    Returns
    -------
    tuple of str
        Of nextpnr-ecp5, nextpnr-ice40 or nextpnr-himbaechel. For xilinx the one part number, as
        Vivado's ``-part`` takes it.

    Raises
    ------
    ValueError
        If the tool has no name for the chip or its package.
    """
    match board.family:
        case Family.ECP5:
            size = _known("device", board.device, _ECP5_SIZES)
            package = _known("package", board.package, _ECP5_PACKAGES)
            return size, "--package", package, "--speed", board.speed
        case Family.ICE40:
            return _known("device", board.device, _ICE40_SIZES), "--package", board.package.lower()
        case Family.GOWIN:
            family = _known("device", board.capacity.name, _GOWIN_FAMILIES)
            return "--device", board.device, "--vopt", f"family={family}"
        case Family.XILINX:
            return (f"{board.device}{board.package}-{board.speed}",)


def _known(what: str, value: str, table: dict[str, str]) -> str:
    if value not in table:
        raise ValueError(f"{what} must be one of {', '.join(table)}, not {value!r}")
    return table[value]
