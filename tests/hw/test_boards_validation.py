import re
from dataclasses import replace

import pytest

from darb.hw.boards import BOARDS, ClockSource, Led, chip_options, find_board
from darb.hw.boards.devices import ICE40UP5K

ICEBREAKER = BOARDS["icebreaker"]


@pytest.mark.parametrize(
    ("field", "value", "error", "message"),
    [
        ("name", "ULX3S", ValueError, "small letters, digits and single dashes, not 'ULX3S'"),
        ("name", 3, TypeError, "name must be a str, not 3"),
        ("title", "", ValueError, "title must not be empty, not ''"),
        ("device", "", ValueError, "device must not be empty, not ''"),
        ("package", "", ValueError, "package must not be empty, not ''"),
        ("speed", 6, TypeError, "speed must be a str, not 6"),
        ("capacity", "12k", TypeError, "capacity must be a Device, not '12k'"),
        ("clock_hz", 12e6, TypeError, "clock_hz must be an int, not 12000000.0"),
        ("clock_hz", True, TypeError, "clock_hz must be an int, not True"),
        ("clock_hz", 0, ValueError, "clock_hz must be at least 1, not 0"),
        ("clock_source", "pin", TypeError, "clock_source must be a ClockSource, not 'pin'"),
        ("constraints", "a.lpf", ValueError, "ends in .pcf for ice40, not 'a.lpf'"),
        ("constraints", "../a.pcf", ValueError, "ends in .pcf for ice40, not '../a.pcf'"),
        ("engine_clock_hz", -1, ValueError, "engine_clock_hz must be at least 1, not -1"),
        ("leds", [], TypeError, "leds must be a tuple, not []"),
        ("leds", ("led_alive",), TypeError, "leds must hold Led values, not ('led_alive',)"),
        (
            "leds",
            ICEBREAKER.leds[::-1],
            ValueError,
            "in this order, not ('led_error', 'led_busy', 'led_alive')",
        ),
        ("baud", 5_000_000, ValueError, "within 1 % of a division of 24000000 Hz, not 5000000"),
        ("baud", 48_000_000, ValueError, "within 1 % of a division of 24000000 Hz, not 48000000"),
        (
            "clock_source",
            ClockSource.HFOSC,
            ValueError,
            "48000000 where the clock is hfosc, not 12",
        ),
        ("clock_tolerance", 0, TypeError, "clock_tolerance must be a float, not 0"),
        ("clock_tolerance", 1.0, ValueError, "must be in 0.0..1.0, 1.0 left out, not 1.0"),
        ("clock_tolerance", -0.1, ValueError, "must be in 0.0..1.0, 1.0 left out, not -0.1"),
        ("program", "", ValueError, "program must not be empty, not ''"),
        ("note", None, TypeError, "note must be a str, not None"),
    ],
)
def test_a_board_validates_its_fields(field, value, error, message):
    with pytest.raises(error, match=re.escape(message)):
        replace(ICEBREAKER, **{field: value})


def test_only_the_ultra_plus_has_its_own_oscillator():
    message = "clock_source must be pin on ecp5, not 'hfosc'"
    with pytest.raises(ValueError, match=f"^{message}$"):
        replace(BOARDS["ulx3s-12f"], clock_source=ClockSource.HFOSC)


def test_a_baud_may_be_one_percent_off():
    # 24 MHz / 26 is 923,077.
    assert replace(ICEBREAKER, baud=921_600).baud == 921_600
    assert replace(ICEBREAKER, baud=913_938).baud == 913_938
    with pytest.raises(ValueError, match=r"not 913937$"):
        replace(ICEBREAKER, baud=913_937)


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        (
            {"port": "led_warm", "active_low": True},
            ValueError,
            "port must be one of led_alive, led_busy, led_error, not 'led_warm'",
        ),
        ({"port": 1, "active_low": True}, TypeError, "port must be a str, not 1"),
        ({"port": "led_busy", "active_low": 1}, TypeError, "active_low must be a bool, not 1"),
    ],
)
def test_an_led_validates_its_fields(fields, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        Led(**fields)


@pytest.mark.parametrize(
    ("field", "value", "error", "message"),
    [
        ("name", 1, TypeError, "name must be a str, not 1"),
        ("name", "", ValueError, "name must not be empty, not ''"),
        ("family", "ice40", TypeError, "family must be a Family, not 'ice40'"),
        ("luts", 1.0, TypeError, "luts must be an int, not 1.0"),
        ("block_rams", -1, ValueError, "block_rams must be at least 0, not -1"),
        ("lut_ram", 0, TypeError, "lut_ram must be a bool, not 0"),
    ],
)
def test_a_device_validates_its_fields(field, value, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        replace(ICE40UP5K, **{field: value})


def test_memory_of_a_device():
    assert ICE40UP5K.memory_bits == 122_880


@pytest.mark.parametrize(
    ("board", "message"),
    [
        (replace(BOARDS["ulx3s-12f"], device="LFE5U-99F"), "not 'LFE5U-99F'"),
        (replace(BOARDS["ulx3s-12f"], package="TQ144"), "BG381, BG554, MG285, not 'TQ144'"),
        (
            replace(ICEBREAKER, device="iCE40HX8K"),
            "device must be one of iCE40UP5K, not 'iCE40HX8K'",
        ),
        (
            replace(
                BOARDS["tang-nano-9k"],
                capacity=replace(BOARDS["tang-nano-9k"].capacity, name="GW1NR-2"),
            ),
            "device must be one of GW1NR-9C, not 'GW1NR-2'",
        ),
    ],
)
def test_a_chip_without_a_name_for_its_tool_is_refused(board, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        chip_options(board)


def test_an_unknown_board_is_refused_with_the_names():
    message = rf"board must be one of {', '.join(BOARDS)}, not 'ulx3s'"
    with pytest.raises(ValueError, match=f"^{message}$"):
        find_board("ulx3s")
