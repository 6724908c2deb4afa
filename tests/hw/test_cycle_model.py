"""The cycle model against Amaranth's simulator, on random small networks: any shape, any rests."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from random_networks import random_network, random_vectors

from darb.golden import OutputMode, Storage, fit_config
from darb.hw import Disturbance
from darb.hw.fuzzing.case import FuzzCase, FuzzRun
from darb.hw.fuzzing.comparison import check_case

REST = st.sampled_from([0.0, 0.3, 0.7])


@settings(max_examples=12)
@given(
    seed=st.integers(0, 2**32),
    lanes=st.sampled_from([1, 2, 4]),
    rows=st.sampled_from([1, 2, 4]),
    sizes=st.lists(st.integers(1, 9), min_size=2, max_size=4),
    mode=st.sampled_from(OutputMode),
    disturbance=st.builds(Disturbance, idle=REST, blocked=REST, burst=st.sampled_from([1, 7])),
)
def test_every_word_and_every_clock_is_as_predicted(seed, lanes, rows, sizes, mode, disturbance):
    rng = np.random.default_rng(seed)
    network = random_network(rng, sizes, ks=range(4), keeps=(1, 2), lanes=lanes)
    config = fit_config(network, lanes=lanes, rows=rows, output_mode=mode)
    run = FuzzRun(0, random_vectors(rng, network, 4), disturbance)
    verdict = check_case(FuzzCase(config, Storage.ROM, (network,), (run,)), {"amaranth": None})
    assert verdict.mismatches == []
