"""Smaller cases: each is valid, and fails as the one before."""

import dataclasses

import pytest
from fuzz_cases import attempt, by_attempts, small_case

import darb.hw.fuzzing.shrinking
from darb.golden import OutputMode, Pattern, fit_config
from darb.hw.fuzzing.comparison import Mismatch, check_case
from darb.hw.fuzzing.moves import moves
from darb.hw.fuzzing.random_case import random_case
from darb.hw.fuzzing.shrinking import shrink


def test_every_move_leaves_a_case_that_is_valid_and_exact():
    case = random_case(3, 0)
    made = 0
    for move in moves(case):
        try:
            smaller = move()
        except ValueError:
            continue
        assert check_case(smaller, {}).mismatches == []
        made += 1
    assert made > 20


def test_patterns_become_plain():
    plainest = [
        smaller
        for move in moves(small_case())
        if (smaller := attempt(move)) is not None
        and set(smaller.networks[0].layers[0].patterns) == {Pattern(0)}
    ]
    assert plainest


def test_an_engine_of_activations_with_a_relu_becomes_one_of_accumulators_without():
    network = small_case().networks[0]
    *before, last = network.layers
    layers = (*before, dataclasses.replace(last, relu=True))
    network = dataclasses.replace(network, layers=layers)
    config = fit_config(network, lanes=2, rows=2, output_mode=OutputMode.ACTIVATIONS)
    case = small_case(networks=(network,), config=config)
    found = [
        smaller
        for move in moves(case)
        if (smaller := attempt(move)) is not None
        and smaller.config.output_mode is OutputMode.ACCUMULATORS
    ]
    assert len(found) == 1
    assert check_case(found[0], {}).mismatches == []


def test_shrinking_passes_by_what_the_packer_refuses(monkeypatch):
    def too_small(case):
        config = dataclasses.replace(case.config, row_depth=1)
        yield lambda: dataclasses.replace(case, config=config)

    refused = next(too_small(small_case()))()
    (found,) = check_case(refused, {}).mismatches
    assert str(found).startswith("golden fails: ValueError: row_depth must be at least")
    monkeypatch.setattr(darb.hw.fuzzing.shrinking, "moves", too_small)
    case = small_case()
    assert by_attempts(case, [found], {}) is case


def test_shrinking_ends_after_its_attempts(monkeypatch):
    made = []

    def endless(case):
        yield lambda: made.append(case) or small_case()

    monkeypatch.setattr(darb.hw.fuzzing.shrinking, "moves", endless)
    found = Mismatch("arithmetic", "outputs", "")
    monkeypatch.setattr(darb.hw.fuzzing.shrinking, "_fails_so", lambda *_: True)
    shrink(small_case(), [found], {}, seconds=600, attempts=3)
    assert len(made) == 3


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("no beat moved since clock 12", "no beat moved since clock 3456", True),
        ("no beat moved since clock 12", "the output was withdrawn in clock 12", False),
        ("a write to 0x8 sees no bvalid", "a write to 0x1c sees no bvalid", True),
    ],
)
def test_failures_are_alike_if_they_say_the_same_but_numbers(one, other, alike):
    mismatches = [Mismatch("icarus", "SimulationError", said) for said in (one, other)]
    assert mismatches[0].is_like(mismatches[1]) is alike


def test_differences_are_alike_whatever_their_detail():
    one, other = (Mismatch("icarus", "memories", said) for said in ("CRC of rows", "CRC of bias"))
    assert one.is_like(other)
