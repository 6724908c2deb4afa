"""A board: its chip, its clock, its serial port and three LEDs."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass
from importlib import resources

from darb.hw.boards.devices import Device, Family

LED_PORTS = ("led_alive", "led_busy", "led_error")

_SUFFIXES = {
    Family.ECP5: ".lpf",
    Family.ICE40: ".pcf",
    Family.GOWIN: ".cst",
    Family.XILINX: ".xdc",
}
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_HFOSC_HZ = 48_000_000


class ClockSource(enum.StrEnum):
    """Where the clock comes from: the port ``clk``, or SB_HFOSC inside an iCE40 UltraPlus."""

    PIN = "pin"
    HFOSC = "hfosc"


@dataclass(frozen=True, kw_only=True)
class Led:
    """A port that drives an LED.

    Parameters
    ----------
    port : str
        One of `LED_PORTS`.
    active_low : bool
        The LED is lit by 0.

    Raises
    ------
    TypeError
        If a field is of the wrong kind.
    ValueError
        If there is no such port.
    """

    port: str
    active_low: bool

    def __post_init__(self) -> None:
        _check_kind("port", self.port, str)
        _check_kind("active_low", self.active_low, bool)
        if self.port not in LED_PORTS:
            raise ValueError(f"port must be one of {', '.join(LED_PORTS)}, not {self.port!r}")


def all_leds(*, active_low: bool) -> tuple[Led, ...]:
    """Return the three LEDs of a board on which they are wired alike."""
    return tuple(Led(port=port, active_low=active_low) for port in LED_PORTS)


@dataclass(frozen=True, kw_only=True)
class Board:
    """What has to be known of a board to build for it.

    The top level of every board has the same ports, and the constraint file names exactly these:
    ``clk`` in, unless the clock is inside the chip; ``uart_rx`` in, on which the FPGA receives;
    ``uart_tx`` out; and `LED_PORTS`, out.

    Parameters
    ----------
    name : str
        On the command line; small letters, digits and dashes.
    title : str
        As its maker calls it.
    device, package, speed : str
        The chip, as amaranth-boards has it. On gowin, `device` is the whole part number; on ice40,
        `speed` is empty.
    capacity : Device
        What the chip holds.
    clock_hz : int
        Frequency at `clock_source`.
    clock_source : ClockSource
    clock_tolerance : float
        Share by which the clock may be too fast.
    constraints : str
        File name in the package ``darb.constraints``.
    engine_clock_hz : int
        Clock that an engine on this board is expected to reach.
    leds : tuple of Led
        One for each of `LED_PORTS`, in that order.
    baud : int
        Of the serial port; a division of `engine_clock_hz` comes within 1 % of it.
    program : str
        The command, of tools that are not darb's, which loads the file that stands behind it.
    note : str
        One or two sentences that a user must read before connecting the board, or empty.

    Raises
    ------
    TypeError
        If a field is of the wrong kind.
    ValueError
        If a field has a wrong value, or fields contradict one another.
    """

    name: str
    title: str
    device: str
    package: str
    speed: str
    capacity: Device
    clock_hz: int
    clock_source: ClockSource = ClockSource.PIN
    clock_tolerance: float = 0.0
    constraints: str
    engine_clock_hz: int
    leds: tuple[Led, ...]
    baud: int = 1_000_000
    program: str
    note: str = ""

    def __post_init__(self) -> None:
        for name in (
            "name",
            "title",
            "device",
            "package",
            "speed",
            "constraints",
            "program",
            "note",
        ):
            _check_kind(name, getattr(self, name), str)
        _check_kind("capacity", self.capacity, Device)
        _check_kind("clock_source", self.clock_source, ClockSource)
        _check_kind("leds", self.leds, tuple)
        if not _NAME.fullmatch(self.name):
            raise ValueError(
                f"name must be small letters, digits and single dashes, not {self.name!r}"
            )
        for name in ("title", "device", "package", "program"):
            if not getattr(self, name):
                raise ValueError(f"{name} must not be empty, not {getattr(self, name)!r}")
        _check_kind("clock_tolerance", self.clock_tolerance, float)
        if not 0.0 <= self.clock_tolerance < 1.0:
            raise ValueError(
                f"clock_tolerance must be in 0.0..1.0, 1.0 left out, not {self.clock_tolerance!r}"
            )
        for name in ("clock_hz", "engine_clock_hz", "baud"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int):
                raise TypeError(f"{name} must be an int, not {value!r}")
            if value < 1:
                raise ValueError(f"{name} must be at least 1, not {value!r}")
        self._check_together()

    def _check_together(self) -> None:
        """Check what more than one field has a say in."""
        suffix = _SUFFIXES[self.family]
        if not re.fullmatch(rf"\w+{re.escape(suffix)}", self.constraints):
            raise ValueError(
                f"constraints must name a file that ends in {suffix} for {self.family.value}, "
                f"not {self.constraints!r}"
            )
        if any(not isinstance(led, Led) for led in self.leds):
            raise TypeError(f"leds must hold Led values, not {self.leds!r}")
        ports = tuple(led.port for led in self.leds)
        if ports != LED_PORTS:
            raise ValueError(f"leds must be {', '.join(LED_PORTS)} in this order, not {ports!r}")
        inside = self.clock_source is ClockSource.HFOSC
        if inside and self.family is not Family.ICE40:
            raise ValueError(
                f"clock_source must be pin on {self.family.value}, not {self.clock_source.value!r}"
            )
        if inside and self.clock_hz != _HFOSC_HZ:
            raise ValueError(
                f"clock_hz must be {_HFOSC_HZ} where the clock is hfosc, not {self.clock_hz!r}"
            )
        divider = max(1, round(self.engine_clock_hz / self.baud))
        if abs(self.engine_clock_hz - divider * self.baud) * 100 > divider * self.baud:
            raise ValueError(
                f"baud must be within 1 % of a division of {self.engine_clock_hz} Hz, "
                f"not {self.baud!r}"
            )

    @property
    def family(self) -> Family:
        """The chip's family."""
        return self.capacity.family

    @property
    def ports(self) -> tuple[str, ...]:
        """Names of the top level's ports."""
        clock = ("clk",) if self.clock_source is ClockSource.PIN else ()
        return (*clock, "uart_rx", "uart_tx", *LED_PORTS)

    def read_constraints(self) -> str:
        """Return the text of the constraint file."""
        return (resources.files("darb.constraints") / self.constraints).read_text("utf-8")


def _check_kind(name: str, value: object, kind: type) -> None:
    if not isinstance(value, kind):
        raise TypeError(f"{name} must be a {kind.__name__}, not {value!r}")
