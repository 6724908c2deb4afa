"""Settings of the PLLs against the vendors' limits and against the tools of each family."""

import re
import subprocess
import sys
from fractions import Fraction
from itertools import product
from pathlib import Path

import pytest

from darb.hw.pll import (
    ecp5_pll_settings,
    gowin_pll_settings,
    ice40_pll_settings,
    xilinx_pll_settings,
)

MHZ = 1_000_000


def divisors(tool, arguments, names):
    """Run a tool and return what it sets, or None where it finds nothing."""
    done = subprocess.run(
        [str(Path(sys.executable).parent / tool), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        return None
    text = done.stdout + done.stderr
    return [int(re.search(rf"{re.escape(name)}\D*?(\d+)", text)[1]) for name in names]


def error_of(function, input_hz, output_hz):
    """How far off the settings are; of a frequency that is refused, as far as is not."""
    try:
        settings = function(input_hz=input_hz, output_hz=output_hz)
    except ValueError as refused:
        nearest = re.search(r"the nearest is (\d+), not", str(refused))
        return abs(int(nearest[1]) - output_hz) - 1
    assert settings.input_hz == input_hz
    assert abs(settings.output_hz - output_hz) * 200 <= output_hz
    return abs(settings.output_hz - output_hz)


@pytest.mark.parametrize("megahertz", [12, 25, 48, 100])
def test_ecp5_is_as_near_as_ecppll(megahertz):
    names = ("Refclk divisor", "Feedback divisor", "clkout0 divisor", "clkout1 divisor")
    compared = 0
    for output in (*range(10, 210, 6), 12.5, 37.5, 66.5, 74.25, 87.5, 112.5, 133.3):
        found = divisors("yowasp-ecppll", ["-i", megahertz, "-o", output, "--highres"], names)
        if found is None:
            continue
        reference, feedback, first, second = found
        # The tool goes down to 3.125 MHz at the phase detector, where the data sheet says 10.
        if Fraction(megahertz, reference) < 10:
            continue
        wanted = round(output * MHZ)
        theirs = Fraction(megahertz * MHZ * feedback * first, reference * second)
        ours = error_of(ecp5_pll_settings, megahertz * MHZ, wanted)
        assert ours <= abs(theirs - wanted), output
        compared += 1
    assert compared >= 5


@pytest.mark.parametrize("megahertz", [12, 16, 48, 100])
def test_ice40_is_as_near_as_icepll(megahertz):
    for output in (*range(16, 276, 7), 16.5, 20.25, 33.3, 50.35):
        found = divisors("yowasp-icepll", ["-i", megahertz, "-o", output], ("DIVR", "DIVF", "DIVQ"))
        divr, divf, divq = found
        wanted = round(output * MHZ)
        theirs = Fraction(megahertz * MHZ * (divf + 1), (divr + 1) << divq)
        # The tool checks what is asked for, not what it reaches.
        if 16 * MHZ <= theirs <= 275 * MHZ:
            ours = error_of(ice40_pll_settings, megahertz * MHZ, wanted)
            assert ours <= abs(theirs - wanted), output


def test_ice40_filter_is_that_of_icepll():
    ranges = set()
    for megahertz in (10, 16, 17, 25, 26, 43, 44, 65, 66, 100, 101, 133):
        names = ("DIVR", "FILTER_RANGE")
        divr, filter_range = divisors(
            "yowasp-icepll", ["-i", megahertz, "-o", megahertz * 2], names
        )
        settings = ice40_pll_settings(input_hz=megahertz * MHZ, output_hz=megahertz * 2 * MHZ)
        assert (settings.divr, settings.filter_range) == (divr, filter_range), megahertz
        ranges.add(filter_range)
    assert ranges == {1, 2, 3, 4, 5, 6}


@pytest.mark.parametrize("megahertz", [12, 27, 50])
def test_gowin_is_as_near_as_gowin_pll(megahertz):
    part = ["-d", "GW1NR-LV9QN88PC6/I5"]
    for output in (*range(4, 200, 5), 66.5, 74.25, 133.3):
        arguments = ["-i", megahertz, "-o", output, *part]
        idiv, fbdiv = divisors("gowin_pll", arguments, (".IDIV_SEL", ".FBDIV_SEL"))
        wanted = round(output * MHZ)
        theirs = Fraction(megahertz * MHZ * (fbdiv + 1), idiv + 1)
        assert error_of(gowin_pll_settings, megahertz * MHZ, wanted) <= abs(theirs - wanted), output


def least_error(input_hz, output_hz, dividers, multipliers, ends, pfd, vco):
    """Try every setting there is."""
    return min(
        abs(Fraction(input_hz * up, down * end) - output_hz)
        for down, up, end in product(dividers, multipliers, ends)
        if pfd[0] * down <= input_hz <= pfd[1] * down
        and vco[0] * down <= input_hz * up <= vco[1] * down
    )


@pytest.mark.parametrize("megahertz", [25, 48, 100])
@pytest.mark.parametrize("output", [77_000_000, 123_456_789, 9_999_999, 66_500_000])
def test_no_other_setting_is_nearer(megahertz, output):
    ends = range(1, 129)
    ecp5 = (range(1, 11), range(1, 81), ends, (10 * MHZ, 400 * MHZ), (400 * MHZ, 800 * MHZ))
    xilinx = (range(1, 7), range(2, 65), ends, (19 * MHZ, 450 * MHZ), (800 * MHZ, 1600 * MHZ))
    for function, limits in ((ecp5_pll_settings, ecp5), (xilinx_pll_settings, xilinx)):
        ours = error_of(function, megahertz * MHZ, output)
        assert ours == least_error(megahertz * MHZ, output, *limits)


@pytest.mark.parametrize(
    ("function", "inputs", "pfd", "vco"),
    [
        (ecp5_pll_settings, (10, 25, 48, 100, 400), (10, 400), (400, 800)),
        (ice40_pll_settings, (10, 12, 48, 133), (10, 133), (533, 1066)),
        (gowin_pll_settings, (3, 27, 50, 400), (3, 400), (400, 1200)),
        (xilinx_pll_settings, (19, 100, 200, 800), (19, 450), (800, 1600)),
    ],
)
def test_settings_keep_the_limits(function, inputs, pfd, vco):
    reached = 0
    for input_mhz, output_mhz in product(inputs, range(16, 276, 13)):
        try:
            settings = function(input_hz=input_mhz * MHZ, output_hz=output_mhz * MHZ)
        except ValueError:
            continue
        reached += 1
        assert pfd[0] * MHZ <= settings.pfd_hz <= pfd[1] * MHZ
        assert vco[0] * MHZ <= settings.vco_hz <= vco[1] * MHZ
        for name, (low, high) in WIDTHS.items():
            assert low <= getattr(settings, name, low) <= high
    assert reached > 25


WIDTHS = {
    "clki_div": (1, 128),
    "clkop_div": (1, 128),
    "clkos_div": (1, 128),
    "divr": (0, 15),
    "divf": (0, 127),
    "divq": (1, 6),
    "idiv_sel": (0, 63),
    "fbdiv_sel": (0, 63),
    "divclk_divide": (1, 56),
    "clkfbout_mult": (2, 64),
    "clkout0_divide": (1, 128),
}


def test_half_a_percent_is_near_enough():
    # From 25 MHz an ECP5 has nothing between 400 / 2 and 412.5 / 2.
    assert ecp5_pll_settings(input_hz=25 * MHZ, output_hz=201_005_025).output_hz == 200 * MHZ
    with pytest.raises(ValueError, match=r"the nearest is 200000000, not 201005026$"):
        ecp5_pll_settings(input_hz=25 * MHZ, output_hz=201_005_026)


def test_among_equals_the_phase_detector_is_fastest():
    settings = ecp5_pll_settings(input_hz=100 * MHZ, output_hz=50 * MHZ)
    assert (settings.pfd_hz, settings.vco_hz) == (100 * MHZ, 600 * MHZ)
