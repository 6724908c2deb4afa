from itertools import pairwise

import pytest
from component_simulation import run_component

from darb.hw.activity_leds import ActivityLeds

CLOCK_HZ = 64
PART = CLOCK_HZ // 16


def watch(clocks, drive):
    """Return each output, clock for clock, while `drive(leds, clock)` gives (signal, value)s."""
    leds = ActivityLeds(clock_hz=CLOCK_HZ)
    names = ("second", "led_alive", "led_busy", "led_error")
    seen = {name: [] for name in names}

    async def bench(ctx):
        for clock in range(clocks):
            for signal, value in drive(leds, clock):
                ctx.set(signal, value)
            for name in names:
                seen[name].append(ctx.get(getattr(leds, name)))
            await ctx.tick()

    run_component(leds, bench)
    return seen


def test_alive_blinks_once_a_second():
    seen = watch(4 * CLOCK_HZ, lambda leds, clock: [])
    pulses = [clock for clock, high in enumerate(seen["second"]) if high]
    assert [b - a for a, b in pairwise(pulses)] == [CLOCK_HZ] * 3
    edges = [c for c in range(1, 4 * CLOCK_HZ) if seen["led_alive"][c] != seen["led_alive"][c - 1]]
    assert {b - a for a, b in pairwise(edges)} == {CLOCK_HZ // 2}
    assert not any(seen["led_busy"])
    assert not any(seen["led_error"])


@pytest.mark.parametrize("start", range(100, 100 + PART))
def test_a_clock_of_work_is_shown_for_a_sixteenth_of_a_second(start):
    seen = watch(200, lambda leds, clock: [(leds.busy, clock == start)])
    lit = [clock for clock, level in enumerate(seen["led_busy"]) if level]
    assert lit[0] == start + 1
    assert lit == list(range(lit[0], lit[-1] + 1))
    assert PART <= len(lit) <= 2 * PART


def test_busy_stays_lit_while_there_is_work():
    seen = watch(200, lambda leds, clock: [(leds.busy, 20 <= clock < 150)])
    assert all(seen["led_busy"][21:151])


def test_error_is_that_of_the_last_reply():
    events = {10: 1, 20: 0, 30: 1, 31: 1, 40: 0}
    seen = watch(
        60,
        lambda leds, clock: [(leds.answers, clock in events), (leds.failed, events.get(clock, 1))],
    )
    lit = [clock for clock, level in enumerate(seen["led_error"]) if level]
    assert lit == [*range(11, 21), *range(31, 41)]


def test_the_clock_is_checked():
    with pytest.raises(TypeError, match=r"^clock_hz must be an int, not 1\.5$"):
        ActivityLeds(clock_hz=1.5)
    with pytest.raises(ValueError, match=r"^clock_hz must be at least 16, not 15$"):
        ActivityLeds(clock_hz=15)
