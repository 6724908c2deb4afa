import pytest
from configs import small_config

from darb.golden import Storage
from darb.hw.board_core import BoardCore
from darb.hw.verilog import component_verilog


@pytest.mark.parametrize("storage", Storage)
def test_its_verilog_is_the_same_each_time_and_has_the_boards_ports(storage):
    texts = {
        component_verilog(
            BoardCore(config=small_config(), storage=storage, clock_hz=24_000_000), "core"
        )
        for _ in range(2)
    }
    (text,) = texts
    top = text[text.index("module core(") :]
    ports = top[: top.index(";")]
    for name in ("clk", "rst", "uart_rx", "uart_tx", "led_alive", "led_busy", "led_error"):
        assert name in ports
    assert ("weights.mem" in text) == (storage is Storage.ROM)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"config": None}, TypeError, "config must be an EngineConfig, not None"),
        ({"storage": "rom"}, TypeError, "storage must be a Storage, not 'rom'"),
        ({"clock_hz": 2_000_000}, ValueError, "baud must be at most 500000 at 2000000 Hz, not 1"),
        ({"baud": 5_000_000}, ValueError, "baud must be within 1 % of a division of 24000000 Hz"),
        ({"baud": 1e6}, TypeError, "baud must be an int, not 1000000.0"),
        ({"baud": 0}, ValueError, "baud must be at least 1, not 0"),
        (
            {"baud": 300},
            ValueError,
            "baud must be at least 500, for a silence of 0.05 s to end a frame, not 300",
        ),
        ({"timeout": 100}, ValueError, "timeout must be at least 480, two bytes, not 100"),
        ({"capacity": 255}, ValueError, "capacity must be a power of two in 256..32768, not 255"),
        ({"config": small_config(output_depth=20000)}, ValueError, "output_depth must be at most"),
    ],
)
def test_arguments_are_checked(changes, error, message):
    arguments = {"config": small_config(), "clock_hz": 24_000_000, "baud": 1_000_000}
    with pytest.raises(error) as raised:
        BoardCore(**{**arguments, **changes})
    assert str(raised.value).startswith(message)
