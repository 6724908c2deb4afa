"""The fuzzer: its cases, that it finds what was broken on purpose, and makes it small."""

import dataclasses
import sys
from collections import Counter

import numpy as np
import pytest
from fuzz_cases import AMARANTH, as_text, by_attempts, lessened, small_case
from seeded_bug import seeded_bug

import darb.golden.engine_model
import darb.golden.packer
import darb.hw.engine
import darb.hw.fuzzing.campaign
import darb.hw.fuzzing.comparison
from darb.golden import OutputMode, Storage, memory_crcs
from darb.hw import Disturbance
from darb.hw.fuzzing.campaign import fuzz
from darb.hw.fuzzing.case import FuzzRun
from darb.hw.fuzzing.case_file import read_case, write_case
from darb.hw.fuzzing.comparison import check_case, find_tools
from darb.hw.fuzzing.random_case import random_case


@pytest.fixture(autouse=True)
def _shrinks_by_attempts(monkeypatch):
    monkeypatch.setattr(darb.hw.fuzzing.campaign, "shrink", by_attempts)


def test_a_case_is_the_same_each_time_and_another_for_each_seed_and_index(tmp_path):
    texts = [as_text(random_case(*which), tmp_path / "case") for which in ((1, 2), (2, 1), (1, 3))]
    assert len(set(texts)) == 3
    assert as_text(random_case(1, 2), tmp_path / "case") == texts[0]


def test_cases_reach_every_option_and_every_edge():
    seen = Counter()
    for index in range(150):
        case = random_case(7, index)
        config = case.config
        patterns = [p for n in case.networks for layer in n.layers for p in layer.patterns]
        narrowest = max(1, *(pattern.k for pattern in patterns))
        seen.update([config.output_mode, case.storage, f"memory_check {case.memory_check}"])
        seen.update(["narrow index words"] * (config.index_word_bits == narrowest))
        seen.update(["wide index words"] * (config.index_word_bits == 64))
        seen.update(f"{name} {getattr(config, name)}" for name in ("lanes", "rows", "weight_bits"))
        seen.update(["32-bit accumulators"] * (config.accumulator_bits == 32))
        seen.update(["last relu"] * case.networks[0].layers[-1].relu)
        seen.update(f"{len(network.layers)} layers" for network in case.networks)
        for run in case.runs:
            rests = run.disturbance
            seen.update(["idle"] * (rests.idle > 0) + ["blocked"] * (rests.blocked > 0))
            seen.update(["reset"] * (rests.reset_clock is not None) + ["long"] * (rests.burst > 3))
        for network in case.networks:
            limit = (1 << network.weight_bits - 1) - 1
            for layer in network.layers:
                seen.update(f"k {pattern.k}" for pattern in layer.patterns)
                seen.update(["keeps several"] * any(p.keep > 1 for p in layer.patterns))
                seen.update(["left out"] * (layer.columns.size < layer.shape[1]))
                seen.update(["aligned"] * (layer.align > 1))
                standing = layer.weights[layer.weights != 0]
                extreme = standing.size > 3 and bool((abs(standing) == limit).all())
                seen.update(["extreme weights"] * extreme)
                seen.update(f"shift {shift}" for shift in layer.shift if shift in (1, 63))
                seen.update(f"multiplier {m}" for m in layer.multiplier if m in (0, 32768, 65535))
    expected = [
        *OutputMode,
        *Storage,
        *("memory_check False", "memory_check True"),
        *(f"lanes {lanes}" for lanes in (1, 2, 4, 8, 16)),
        *(f"rows {rows}" for rows in (1, 2, 4, 8)),
        *(f"weight_bits {bits}" for bits in range(2, 9)),
        *(f"{count} layers" for count in range(1, 5)),
        *(f"k {k}" for k in range(13)),
        *("narrow index words", "wide index words", "32-bit accumulators", "last relu"),
        *("idle", "blocked", "reset", "long", "keeps several", "left out", "aligned"),
        *("extreme weights", "shift 1", "shift 63"),
        *("multiplier 0", "multiplier 32768", "multiplier 65535"),
    ]
    assert [name for name in expected if seen[name] < 2] == []


def test_random_cases_are_exact_in_amaranths_simulator():
    campaign = fuzz(35, AMARANTH, seconds=600, most_cases=4)
    assert campaign.failures == []
    assert campaign.counts["cases"] == 4
    assert campaign.clocks["amaranth"] > 100


@pytest.mark.icarus
def test_a_case_is_exact_in_every_simulator_loaded_and_reset_in_between():
    case = small_case(storage=Storage.RAM, memory_check=True)
    rests = Disturbance(idle=0.3, blocked=0.5, reset_clock=40, seed=3, burst=5)
    disturbed = dataclasses.replace(case.runs[0], disturbance=rests)
    case = dataclasses.replace(case, runs=(*case.runs, disturbed))
    verdict = check_case(case, find_tools(("amaranth", "verilator", "icarus")))
    assert verdict.mismatches == []
    # The same draws, so the same clocks.
    assert len(set(verdict.clocks.values())) == 1
    assert verdict.vectors == 6


def test_a_memory_that_is_not_the_images_is_noticed(monkeypatch):
    crcs = {
        name: crc ^ (name == "rows") for name, crc in memory_crcs(small_case().images[0]).items()
    }
    monkeypatch.setattr(darb.hw.fuzzing.comparison, "memory_crcs", lambda image: crcs)
    verdict = check_case(small_case(memory_check=True), AMARANTH)
    (mismatch,) = verdict.mismatches
    assert str(mismatch) == "amaranth and golden differ in memories: run 0, CRC of rows"


def test_a_bug_of_the_golden_model_is_found_and_made_small(monkeypatch, tmp_path):
    monkeypatch.setattr(darb.golden.engine_model, "requantize", lessened)
    (failure,) = fuzz(0, {}, seconds=600, most_cases=20).failures
    (mismatch,) = failure.mismatches
    assert (mismatch.party, mismatch.kind) == ("arithmetic", "outputs")
    assert str(mismatch).startswith("arithmetic and golden differ in outputs: run 0, 1 of 1")
    (network,), (run,) = failure.case.networks, failure.case.runs
    assert sum(layer.weights.size for layer in network.layers) <= 4
    assert len(run.vectors) == 1
    assert (failure.case.config.lanes, failure.case.config.rows) == (1, 1)
    write_case(tmp_path / "case.json", failure)
    again = read_case(tmp_path / "case.json").case
    assert check_case(again, {}).mismatches == [mismatch]
    monkeypatch.undo()
    assert check_case(again, {}).mismatches == []


def test_a_bug_of_the_packer_is_found_and_made_small(monkeypatch):
    destinations = darb.golden.packer._destinations

    def swapped(network, number, lanes):
        places = destinations(network, number, lanes)
        return places[::-1] if number else places

    monkeypatch.setattr(darb.golden.packer, "_destinations", swapped)
    (failure,) = fuzz(0, {}, seconds=600, most_cases=20).failures
    assert failure.mismatches[0].party == "arithmetic"
    (network,) = failure.case.networks
    assert len(network.layers) == 2
    assert sum(layer.weights.size for layer in network.layers) <= 8


def test_a_clock_that_golden_forgets_is_found_and_the_stimulus_made_plain(monkeypatch):
    # The package has a function of the module's name.
    monkeypatch.setattr(sys.modules["darb.golden.timeline"], "DRAIN", 4)
    case = small_case()
    rests = Disturbance(idle=0.4, blocked=0.4, burst=3)
    case = dataclasses.replace(case, runs=(dataclasses.replace(case.runs[0], disturbance=rests),))
    verdict = check_case(case, AMARANTH)
    assert [(found.party, found.kind) for found in verdict.mismatches] == [("amaranth", "clocks")]
    smaller = by_attempts(case, verdict.mismatches, AMARANTH)
    assert smaller.runs[0].disturbance == Disturbance()
    assert [layer.shape for layer in smaller.networks[0].layers] == [(1, 1)]
    assert not smaller.networks[0].layers[0].weights.any()


def test_an_engine_that_hangs_or_cannot_be_made_is_a_mismatch(monkeypatch):
    sequencer = darb.hw.engine.Sequencer
    stuck = seeded_bug(sequencer, "Mux(starts_vector, self.waiting, after_gap)", "0")
    monkeypatch.setattr(darb.hw.engine, "Sequencer", stuck)
    (found,) = check_case(small_case(), AMARANTH).mismatches
    assert str(found).startswith("amaranth fails: AssertionError: no beat moved since clock ")

    def broken(**fields):
        raise KeyError("a bug")

    monkeypatch.setattr(darb.hw.engine, "Sequencer", broken)
    (found,) = check_case(small_case(), AMARANTH).mismatches
    assert str(found) == "amaranth fails: KeyError: 'a bug'"


def test_a_run_without_vectors_is_refused():
    run = FuzzRun(0, np.zeros((0, 5), dtype=int), Disturbance())
    with pytest.raises(ValueError, match=r"^run 0 must have at least one vector, not 0$"):
        small_case(runs=(run,))


@pytest.mark.parametrize("burst", [0, 1001])
def test_rests_of_no_clock_or_for_ever(burst):
    with pytest.raises(ValueError, match=rf"^burst must be in 1\.\.1000 clocks, not {burst}$"):
        Disturbance(burst=burst)


def test_simulators_that_there_are_not():
    with pytest.raises(
        ValueError, match=r"^simulators must be of amaranth, verilator, icarus, not 'vcs'$"
    ):
        find_tools(("amaranth", "vcs"))
    with pytest.raises(ValueError, match=r"not ''$"):
        find_tools(())
