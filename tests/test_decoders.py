"""The decoders' bench: its layers, engines and page."""

import importlib
import json
from pathlib import Path

import numpy as np
import pytest

BENCH = Path(__file__).parents[1] / "bench" / "decoders"
SHAPE = (96, 128)


@pytest.fixture
def bench(monkeypatch, tmp_path):
    """Return a function that imports a module of the bench, whose results go to `tmp_path`."""
    monkeypatch.syspath_prepend(str(BENCH))
    grid = importlib.import_module("decoder_grid")
    page = importlib.import_module("decoder_page")
    monkeypatch.setattr(grid, "RUNS", tmp_path / "runs")
    monkeypatch.setattr(grid, "SHAPES", (SHAPE,))
    monkeypatch.setattr(page, "SHAPES", (SHAPE,))
    for module in (grid, page):
        monkeypatch.setattr(module, "WIDELY_BUILT", SHAPE)
        monkeypatch.setattr(module, "RECORD", tmp_path / "decoders.json")
    monkeypatch.setattr(page, "RESULTS", tmp_path)
    monkeypatch.setattr(page, "PAGE", tmp_path / "decoders.md")
    grid.record.cache_clear()
    yield importlib.import_module
    grid.record.cache_clear()


def small_candidates(bench, multipliers, ratio=8):
    engines, layers = bench("decoder_engines"), bench("decoder_layers")
    for name, contender in engines.CONTENDERS.items():
        if multipliers >= contender.least_multipliers:
            work = layers.synthetic(
                SHAPE, contender.method, ratio, multipliers=multipliers, density=0.5
            )
            yield name, work, contender.candidate(work, multipliers)


@pytest.mark.parametrize("multipliers", [16, 64])
def test_every_engine_counts_what_its_layer_holds(bench, multipliers):
    found = dict.fromkeys(bench("decoder_engines").CONTENDERS)
    for name, work, candidate in small_candidates(bench, multipliers):
        found[name] = candidate
        outcome = candidate.outcome
        assert outcome.weights == np.count_nonzero(work.layer.weights), name
        assert candidate.storage.values == 8 * outcome.weights, name
        assert candidate.zeros_interval <= outcome.interval, name
        # No engine beats one weight a multiplier and clock.
        assert outcome.interval >= outcome.weights / multipliers, name
        assert outcome.multipliers <= multipliers, name
    assert found["darb"].outcome.weights <= SHAPE[0] * SHAPE[1] / 8
    assert found["dense"].outcome.weights == SHAPE[0] * SHAPE[1]
    assert found["csr-natural"].outcome.interval >= found["csr"].outcome.interval
    assert found["eie"].zeros_interval < found["eie"].outcome.interval


def test_every_engine_and_its_decoder_become_verilog(bench):
    from darb.hw.verilog import TOP, component_verilog

    for name, _, candidate in small_candidates(bench, 16):
        text = component_verilog(candidate.top(), TOP)
        for file in candidate.files:
            assert f'"{file}"' in text, name
        for component, count in candidate.decoder():
            assert count >= 1
            assert f"module {TOP}" in component_verilog(component, TOP), name


def test_pruned_layers_have_the_ratio_asked_for(bench):
    layers = bench("decoder_layers")
    for method in ("irregular", "block-2", "block-4", "block-8", "darb"):
        work = layers.synthetic(SHAPE, method, 16, multipliers=64, density=1.0)
        kept = np.count_nonzero(work.layer.weights)
        assert 0.8 * SHAPE[0] * SHAPE[1] / 16 < kept <= SHAPE[0] * SHAPE[1] / 16, method
        assert (work.vectors != 0).all()


def test_equal_accuracy_is_the_largest_ratio_that_loses_nothing(bench, monkeypatch, tmp_path):
    grid = bench("decoder_grid")
    accuracies = {4: 0.984, 8: 0.982, 13: 0.979, 16: 0.985}
    results = [
        {"subject": grid.NETWORK, "row": "darb", "ratio": ratio, "integer": value + shift}
        for ratio, value in accuracies.items()
        for shift in (-0.001, 0.001)
    ]
    results.append({"subject": grid.NETWORK, "row": "dense", "ratio": 1, "integer": 0.984})
    results.append({"subject": grid.NETWORK, "row": "darb", "ratio": 25, "integer": None})
    monkeypatch.setattr(grid, "PRUNING", tmp_path / "pruning.json")
    grid.PRUNING.write_text(json.dumps(results))
    assert grid.equal_accuracy_ratio("darb") == 8
    assert grid.equal_accuracy_ratio("csr") is None


def test_the_page_tells_of_what_was_measured(bench, monkeypatch, tmp_path):
    decoders, grid, page = bench("decoders"), bench("decoder_grid"), bench("decoder_page")
    monkeypatch.setattr(decoders, "RUNS", tmp_path / "runs")
    (tmp_path / "runs").mkdir()
    area = {
        "used": {"LUT": 1000, "FF": 900, "LUT RAM": 0, "block RAM": 20, "multiplier": 18},
        "decoder": {"LUT": 100, "FF": 90},
        "decoder_alone": {"LUT": 110, "FF": 95},
        "clock_mhz": 80.0,
        "path": "none",
    }
    monkeypatch.setattr(decoders, "_area", lambda *_: area)
    wanted = [
        case for case in grid.cases() if case.shape and case.multipliers == 16 and case.ratio <= 16
    ]
    assert any(case.built for case in wanted)
    few = {"darb", "csr", "eie", "bsr-2", "bsr-2-row", "bsr-4"}
    built = [case for case in grid.cases() if case.built and case.shape]
    assert {case.engine for case in built if case.multipliers == 16} == few
    many = {"darb", "bsr-2", "bsr-2-row", "bsr-4", "bsr-4-row", "bsr-8"}
    assert {case.engine for case in built if case.multipliers == 64} == many
    monkeypatch.setattr(grid, "WIDELY_BUILT", (1, 1))
    elsewhere = [case for case in grid.cases() if case.built and case.shape]
    assert {case.engine for case in elsewhere} == few
    assert {case.multipliers for case in elsewhere} == {16}
    for case in wanted:
        result = decoders.measure(case, places=True, progress=lambda *_: None)
        assert (result["area"] is not None) == case.built
        (tmp_path / "runs" / f"{case.name}.json").write_text(json.dumps(result))
        assert grid.finished(case) == result
    page.write_page()
    text = page.PAGE.read_text()
    assert "Utilisation of 16 multipliers" in text
    # One decoder is like the other here, so clocks alone tell them apart.
    assert "| useful weights a clock |" in text
    assert f"decoders-{SHAPE[0]}x{SHAPE[1]}-16.png" in text
    assert (tmp_path / f"decoders-{SHAPE[0]}x{SHAPE[1]}-16.png").stat().st_size > 10_000
    # The record stands in for the files.
    for path in (tmp_path / "runs").glob("*.json"):
        path.unlink()
    grid.record.cache_clear()
    assert all(grid.finished(case) is not None for case in wanted)
    other = grid.Case(engine="darb", multipliers=16, shape=SHAPE, ratio=5)
    assert grid.finished(other) is None
