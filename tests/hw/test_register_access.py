"""The bench's end of AXI4-Lite gives an engine up that does not answer."""

import asyncio

import pytest

from darb.hw.register_access import RegisterAccess
from darb.hw.stream_bench import StreamBench


class Pins:
    """`BenchPins` of a top whose outputs never change."""

    def __init__(self, **outputs):
        self.outputs = outputs

    def get(self, name):
        return self.outputs.get(name, 0)

    def set(self, name, value):
        pass

    def restart(self):
        pass

    async def tick(self):
        pass


@pytest.mark.parametrize(
    ("outputs", "missing"),
    [({}, "arready"), ({"s_axil_arready": 1}, "rvalid")],
)
def test_a_read_without_an_answer(outputs, missing):
    with pytest.raises(AssertionError, match=rf"^a read of 0x1c sees no {missing} in 500 clocks$"):
        asyncio.run(RegisterAccess(Pins(**outputs)).read(0x1C))


@pytest.mark.parametrize("outputs", [{}, {"s_axil_awready": 1}])
def test_a_write_without_an_answer(outputs):
    with pytest.raises(AssertionError, match=r"^a write to 0x8 sees no bvalid in 500 clocks$"):
        asyncio.run(RegisterAccess(Pins(**outputs)).write([(8, 1)]))


def test_a_memory_check_without_an_end():
    pins = Pins(s_axil_arready=1, s_axil_rvalid=1, s_axil_bvalid=1, s_axil_rdata=1)
    job = {
        "registers": True,
        "beats": 1,
        "seed": 0,
        "idle": 0,
        "blocked": 0,
        "burst": 1,
        "checks": {"rows": 7},
        "check_clocks": {"rows": 14},
    }
    bench = StreamBench(pins, job, [], 0)
    with pytest.raises(AssertionError, match=r"^the check of rows is at work after 30 reads$"):
        asyncio.run(bench.memory_crcs())
