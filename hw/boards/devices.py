"""The FPGA chips on the boards: how much of what engines are made of each one holds."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Family(enum.StrEnum):
    """Which tools build for the chip, and which of its vendor's primitives it has."""

    ECP5 = "ecp5"
    ICE40 = "ice40"
    GOWIN = "gowin"
    XILINX = "xilinx"


_COUNTS = ("luts", "ffs", "block_rams", "block_ram_bits", "multipliers")


@dataclass(frozen=True, kw_only=True)
class Device:
    """Capacity of one chip, as its place-and-route tool counts.

    Parameters
    ----------
    name : str
        The vendor's name, without package and speed grade.
    family : Family
    luts, ffs : int
        Look-up tables of 4 inputs (6 on xilinx), and flip-flops beside them.
    block_rams, block_ram_bits : int
        Block RAMs, and bits in one: DP16KD, SB_RAM40, Gowin's BSRAM, RAMB36.
    multipliers : int
        Hard multipliers, each good for one 8 x 8 product a clock: MULT18X18D, SB_MAC16, MULT9X9
        (Gowin's 18 x 18 multipliers, of which there are half as many, split in two), DSP48E1.
    lut_ram : bool
        Look-up tables serve as small RAMs.

    Raises
    ------
    TypeError
        If a field is of the wrong kind.
    ValueError
        If a field is empty or negative.
    """

    name: str
    family: Family
    luts: int
    ffs: int
    block_rams: int
    block_ram_bits: int
    multipliers: int
    lut_ram: bool

    def __post_init__(self) -> None:
        if not isinstance(self.name, str):
            raise TypeError(f"name must be a str, not {self.name!r}")
        if not self.name:
            raise ValueError(f"name must not be empty, not {self.name!r}")
        if not isinstance(self.family, Family):
            raise TypeError(f"family must be a Family, not {self.family!r}")
        for name in _COUNTS:
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int):
                raise TypeError(f"{name} must be an int, not {value!r}")
            if value < 0:
                raise ValueError(f"{name} must be at least 0, not {value!r}")
        if not isinstance(self.lut_ram, bool):
            raise TypeError(f"lut_ram must be a bool, not {self.lut_ram!r}")

    @property
    def memory_bits(self) -> int:
        """Bits of all block RAMs together."""
        return self.block_rams * self.block_ram_bits


def _ecp5(*, name: str, luts: int, block_rams: int, multipliers: int) -> Device:
    return Device(
        name=name,
        family=Family.ECP5,
        luts=luts,
        ffs=luts,
        block_rams=block_rams,
        block_ram_bits=18 * 1024,
        multipliers=multipliers,
        lut_ram=True,
    )


def _artix7(*, name: str, luts: int, block_rams: int, multipliers: int) -> Device:
    return Device(
        name=name,
        family=Family.XILINX,
        luts=luts,
        ffs=2 * luts,
        block_rams=block_rams,
        block_ram_bits=36 * 1024,
        multipliers=multipliers,
        lut_ram=True,
    )


# The 12F is a 25F that is sold for less; nextpnr uses all of it.
LFE5U_12F = _ecp5(name="LFE5U-12F", luts=24_288, block_rams=56, multipliers=28)
LFE5U_25F = _ecp5(name="LFE5U-25F", luts=24_288, block_rams=56, multipliers=28)
LFE5U_45F = _ecp5(name="LFE5U-45F", luts=43_848, block_rams=108, multipliers=72)
LFE5U_85F = _ecp5(name="LFE5U-85F", luts=83_640, block_rams=208, multipliers=156)
LFE5UM5G_85F = _ecp5(name="LFE5UM5G-85F", luts=83_640, block_rams=208, multipliers=156)

ICE40UP5K = Device(
    name="iCE40UP5K",
    family=Family.ICE40,
    luts=5_280,
    ffs=5_280,
    block_rams=30,
    block_ram_bits=4 * 1024,
    multipliers=8,
    lut_ram=False,
)

GW1NR_9C = Device(
    name="GW1NR-9C",
    family=Family.GOWIN,
    luts=8_640,
    ffs=6_480,
    block_rams=26,
    block_ram_bits=18 * 1024,
    multipliers=40,
    lut_ram=True,
)

# From the 7 Series FPGAs Data Sheet: Overview (DS180), for Vivado cannot be asked here.
XC7A35T = _artix7(name="xc7a35t", luts=20_800, block_rams=50, multipliers=90)
XC7A100T = _artix7(name="xc7a100t", luts=63_400, block_rams=135, multipliers=240)
