import numpy as np
import pytest

from darb.golden import IntegerLayer, IntegerNetwork, OutputMode, Pattern, fit_config, pack
from darb.hw.stimulus import from_words, to_beats


def small_image(mode=OutputMode.ACCUMULATORS):
    layer = IntegerLayer(
        name="fc",
        weights=[[1, 1, 1, 1, 0, 1]],
        bias=[0],
        multiplier=[1 << 15],
        shift=[15],
        relu=False,
        patterns=(Pattern(0),),
        columns=[5, 0, 1, 2, 3],
    )
    network = IntegerNetwork(layers=(layer,))
    return pack(network, fit_config(network, lanes=2, rows=1, output_mode=mode))


def test_beats_follow_the_column_order_lane_by_lane():
    vectors = np.array([[10, 11, 12, 13, 14, -1], [20, 21, 22, 23, 24, -128]])
    expected = [[-1, 12], [10, 13], [11, 0], [-128, 22], [20, 23], [21, 0]]
    beats = to_beats(small_image(), vectors)
    assert beats.dtype == np.uint8
    assert beats.view(np.int8).tolist() == expected


@pytest.mark.parametrize(
    ("mode", "words", "values"),
    [
        (OutputMode.ACTIVATIONS, [0, 127, 128, 255], [0, 127, -128, -1]),
        (OutputMode.ACCUMULATORS, [1, 0x7FFFFFFF, 0x80000000], [1, 2**31 - 1, -(2**31)]),
        (OutputMode.ARGMAX, [0, 0xFFFF], [0, 65535]),
    ],
)
def test_words_are_signed_but_for_the_arg_max(mode, words, values):
    assert from_words(small_image(mode), words).tolist() == values
