import pytest
from configs import small_config

from darb.hw.boards import Family
from darb.hw.estimate.multipliers import (
    engine_multipliers,
    post_processor_multipliers,
    product_multipliers,
)

# What yosys 0.70 made of each product alone, with the engine's registers before and behind it.
_NO_MULTIPLIER = {
    Family.ECP5: set(),
    Family.ICE40: {(a, b) for a in range(2, 9) for b in range(2, 9) if a + b < 11},
    Family.GOWIN: {(a, b) for a in range(2, 9) for b in range(2, 9) if min(a, b) < 4},
    Family.XILINX: {(a, b) for a in range(2, 9) for b in range(2, 9) if a + b < 9},
}
_POST_PROCESSOR = {
    Family.ECP5: {8: 1, 18: 1, 19: 2, 32: 2},
    Family.ICE40: {8: 1, 17: 1, 18: 2, 32: 2},
    Family.GOWIN: {8: 2, 20: 2, 21: 4, 27: 4, 28: 4, 32: 4},
    Family.XILINX: {8: 1, 25: 1, 26: 2, 32: 2},
}


@pytest.mark.parametrize("family", list(Family))
def test_narrow_products_go_into_logic(family):
    found = {
        (a, b)
        for a in range(2, 9)
        for b in range(2, 9)
        if not product_multipliers(family, small_config(activation_bits=a, weight_bits=b))
    }
    assert found == _NO_MULTIPLIER[family]


@pytest.mark.parametrize("family", list(Family))
def test_the_post_processor_splits_a_wide_accumulator(family):
    for bits, count in _POST_PROCESSOR[family].items():
        assert post_processor_multipliers(family, small_config(accumulator_bits=bits)) == count


def test_an_engine_takes_one_a_multiplier_and_the_post_processors():
    config = small_config(lanes=8, rows=2, accumulator_bits=20)
    assert engine_multipliers(Family.ECP5, config) == 18
    narrow = small_config(lanes=8, rows=2, accumulator_bits=14, weight_bits=2)
    assert engine_multipliers(Family.ICE40, narrow) == 1
