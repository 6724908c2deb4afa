import re
from importlib import import_module, resources

import pytest
from amaranth.build import Attrs, Pins, Resource, Subsignal
from amaranth.lib.io import Direction
from documents import ROOT

from darb.hw.boards import BOARDS, LED_PORTS, ClockSource, Family, chip_options, find_board

ICEBREAKER = BOARDS["icebreaker"]
UPDUINO = BOARDS["upduino-v3"]

# Where amaranth-boards has the boards, and which of its resources the ports are.
RED_GREEN_BLUE = (("rgb_led", 0, "g"), ("rgb_led", 0, "b"), ("rgb_led", 0, "r"))
FIRST_LEDS = (("led", 0), ("led", 1), ("led", 2))
PLATFORMS = {
    "ulx3s-12f": ("ulx3s", "ULX3S_12F_Platform", FIRST_LEDS),
    "ulx3s-25f": ("ulx3s", "ULX3S_25F_Platform", FIRST_LEDS),
    "ulx3s-45f": ("ulx3s", "ULX3S_45F_Platform", FIRST_LEDS),
    "ulx3s-85f": ("ulx3s", "ULX3S_85F_Platform", FIRST_LEDS),
    "orangecrab-25f": ("orangecrab_r0_2", "OrangeCrabR0_2_25FPlatform", RED_GREEN_BLUE),
    "orangecrab-85f": ("orangecrab_r0_2", "OrangeCrabR0_2_85FPlatform", RED_GREEN_BLUE),
    "ecpix5-85f": (
        "ecpix5",
        "ECPIX585Platform",
        (("rgb_led", 0, "g"), ("rgb_led", 1, "b"), ("rgb_led", 2, "r")),
    ),
    "icebreaker": ("icebreaker", "ICEBreakerPlatform", (("led_g", 0), ("led_g", 1), ("led_r", 0))),
    "upduino-v3": ("upduino_v3", "UpduinoV3Platform", RED_GREEN_BLUE),
    "tang-nano-9k": ("tang_nano_9k", "TangNano9kPlatform", FIRST_LEDS),
    "arty-a7-35": ("arty_a7", "ArtyA7_35Platform", FIRST_LEDS),
    "arty-a7-100": ("arty_a7", "ArtyA7_100Platform", FIRST_LEDS),
}


def header_uart(connector, receive, send, standard, pullup):
    """The serial port of a board that has none: header pins, which the board's notes name."""
    return Resource(
        "uart",
        0,
        Subsignal("rx", Pins(receive, dir="i", conn=(connector, 0)), Attrs(**standard, **pullup)),
        Subsignal("tx", Pins(send, dir="o", conn=(connector, 0)), Attrs(**standard)),
    )


HEADER_UARTS = {
    "orangecrab-25f": header_uart("io", "0", "1", {"IO_TYPE": "LVCMOS33"}, {"PULLMODE": "UP"}),
    "orangecrab-85f": header_uart("io", "0", "1", {"IO_TYPE": "LVCMOS33"}, {"PULLMODE": "UP"}),
    "upduino-v3": header_uart("j", "7", "8", {"IO_STANDARD": "SB_LVCMOS"}, {"PULLUP": 1}),
}


def make_platform(board):
    module, name, _ = PLATFORMS[board.name]
    platform = getattr(import_module(f"amaranth_boards.{module}"), name)()
    if board.name in HEADER_UARTS:
        platform.add_resources([HEADER_UARTS[board.name]])
    if board.name == "icebreaker":
        platform.add_resources(platform.break_off_pmod)
    return platform


def request_raw(platform, name, number=0):
    """Request a resource without buffers, whole or all of its signals."""
    signals = [io for io in platform.lookup(name, number).ios if isinstance(io, Subsignal)]
    return platform.request(name, number, dir={io.name: "-" for io in signals} or "-")


def request_ports(board, platform):
    """The ports as amaranth-boards has them, by our names."""
    uart = request_raw(platform, "uart")
    ports = {"uart_rx": uart.rx, "uart_tx": uart.tx}
    if board.clock_source is ClockSource.PIN:
        ports["clk"] = request_raw(platform, platform.default_clk)
    found = {}
    for port, (name, number, *color) in zip(LED_PORTS, PLATFORMS[board.name][2], strict=True):
        if (name, number) not in found:
            found[name, number] = request_raw(platform, name, number)
        led = found[name, number]
        ports[port] = getattr(led, color[0]) if color else led
    return ports


ALLOWED = {
    "set_property CFGBVS VCCO [current_design]",
    "set_property CONFIG_VOLTAGE 3.3 [current_design]",
}
FORMATS = {
    Family.ECP5: [
        r'LOCATE COMP "(?P<port>\w+)" SITE "(?P<site>\w+)";',
        r'IOBUF PORT "(?P<port>\w+)" (?P<attributes>[\w= ]+);',
        r'FREQUENCY PORT "(?P<port>\w+)" (?P<megahertz>[\d.]+) MHZ;',
    ],
    Family.ICE40: [
        r"set_io (?P<attributes>-pullup yes )?(?P<port>\w+) (?P<site>\w+)",
        r"set_frequency (?P<port>\w+) (?P<megahertz>[\d.]+)",
    ],
    Family.GOWIN: [
        r'IO_LOC "(?P<port>\w+)" (?P<site>\w+);',
        r'IO_PORT "(?P<port>\w+)" (?P<attributes>[\w= ]+);',
    ],
    Family.XILINX: [
        (
            r"set_property -dict {PACKAGE_PIN (?P<site>\w+) IOSTANDARD (?P<attributes>\w+)}"
            r" \[get_ports (?P<port>\w+)\]"
        ),
        r"create_clock -name clk -period (?P<nanoseconds>[\d.]+) \[get_ports (?P<port>\w+)\]",
    ],
}


def parse(text, family):
    """Return site, attributes and frequency of each port, whatever the file's format.

    A line that is not understood, or that says something twice, fails.
    """
    found = {"site": {}, "attributes": {}, "megahertz": {}, "nanoseconds": {}}
    comment = "//" if family is Family.GOWIN else "#"
    for line in filter(None, map(str.strip, text.splitlines())):
        if line.startswith(comment) or line in ALLOWED:
            continue
        matches = [re.fullmatch(pattern, line) for pattern in FORMATS[family]]
        (said,) = [match.groupdict() for match in matches if match] or pytest.fail(line)
        port = said.pop("port")
        for what, value in said.items():
            assert port not in found[what], line
            found[what][port] = value or ""
    return found


def attributes_in(family, attributes):
    """What a constraint file of this family must say for attributes of amaranth-boards."""
    if family is Family.ICE40:
        # It has no way to state the I/O standard, nor that a pin drives a global net.
        assert attributes["IO_STANDARD"] in ("SB_LVCMOS", "SB_LVTTL")
        return "-pullup yes " if attributes.get("PULLUP") else ""
    if family is Family.XILINX:
        assert set(attributes) == {"IOSTANDARD"}
        return attributes["IOSTANDARD"]
    return " ".join(f"{name}={value}" for name, value in sorted(attributes.items()))


def in_order(attributes, family):
    return " ".join(sorted(attributes.split(" "))) if family is not Family.ICE40 else attributes


@pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)
def test_pins_are_those_of_amaranth_boards(board):
    ports = request_ports(board, make_platform(board))
    constraints = parse(board.read_constraints(), board.family)
    assert sorted(constraints["site"]) == sorted(constraints["attributes"]) == sorted(board.ports)
    for name in board.ports:
        (pin,) = ports[name].io.metadata
        assert constraints["site"][name] == pin.name, name
        direction = Direction.Input if name in ("clk", "uart_rx") else Direction.Output
        assert ports[name].direction is direction, name
        said = in_order(constraints["attributes"][name], board.family)
        assert said == attributes_in(board.family, pin.attrs), name
    for led in board.leds:
        assert ports[led.port].invert == (led.active_low,), led.port
    assert ports["uart_rx"].invert == ports["uart_tx"].invert == (False,)


@pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)
def test_chip_and_clock_are_those_of_amaranth_boards(board):
    platform = make_platform(board)
    if board.family is Family.GOWIN:
        assert (board.device, board.capacity.name) == (platform.part, platform.family)
    elif board.family is Family.XILINX:
        # The i is the temperature range.
        assert (board.device, f"{board.capacity.name}i") == (platform.device, platform.device)
    else:
        assert (board.device, board.capacity.name) == (platform.device, platform.device)
    assert board.package == platform.package
    assert board.speed == getattr(platform, "speed", "")
    assert board.clock_hz == platform.default_clk_constraint.frequency
    hfosc = platform.default_clk == "SB_HFOSC"
    assert board.clock_source == (ClockSource.HFOSC if hfosc else ClockSource.PIN)


@pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)
def test_constraint_file_tells_the_clock_where_its_format_can(board):
    found = parse(board.read_constraints(), board.family)
    frequencies = {port: float(value) * 1e6 for port, value in found["megahertz"].items()}
    frequencies |= {port: 1e9 / float(value) for port, value in found["nanoseconds"].items()}
    can = board.family is not Family.GOWIN and "clk" in board.ports
    assert frequencies == ({"clk": board.clock_hz} if can else {})


def test_every_constraint_file_belongs_to_a_board():
    files = {path.name for path in resources.files("darb.constraints").iterdir()}
    files = {name for name in files if not name.startswith("__")}
    assert files == {board.constraints for board in BOARDS.values()}


def test_names():
    assert list(BOARDS) == list(PLATFORMS)
    for name, board in BOARDS.items():
        assert find_board(name) is board
        assert board.name == name
    assert len({board.title for board in BOARDS.values()}) == len(BOARDS)


def test_ports_of_a_board_whose_clock_is_inside():
    assert ICEBREAKER.ports == ("clk", "uart_rx", "uart_tx", *LED_PORTS)
    assert UPDUINO.ports == ("uart_rx", "uart_tx", *LED_PORTS)


@pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)
def test_header_pins_are_in_the_note(board):
    assert ("serial adapter" in board.note) == (board.name in HEADER_UARTS)


def test_vivado_is_told_the_part_number():
    for board in BOARDS.values():
        if board.family is Family.XILINX:
            assert chip_options(board) == (make_platform(board)._part,)


def test_the_page_on_boards_has_the_figures():
    text = (ROOT / "docs" / "boards.md").read_text()
    rows = {
        cells[0].strip("`"): cells[1:]
        for line in text.splitlines()
        if (cells := [cell.strip() for cell in line.strip("|").split("|")])[0].startswith("`")
    }
    for name, board in BOARDS.items():
        chip = board.capacity
        expected = [
            chip.name,
            f"{chip.luts:,}",
            f"{chip.block_rams} x {chip.block_ram_bits // 1024} Kbit",
            str(chip.multipliers),
            f"{board.clock_hz // 1_000_000} MHz",
            f"{board.engine_clock_hz // 1_000_000} MHz",
        ]
        assert rows[name][: len(expected)] == expected, name
