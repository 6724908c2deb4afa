"""The reference runs of bench/pruning: resumable, and what their page says of them."""

import dataclasses
import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from darb.sw.networks import mlp
from darb.sw.pruning import Pruner

BENCH = Path(__file__).parents[1] / "bench" / "pruning"


@pytest.fixture
def bench(monkeypatch, tmp_path):
    """Return a function that imports a module of the bench, whose results go to `tmp_path`."""
    monkeypatch.syspath_prepend(str(BENCH))
    grid = importlib.import_module("reference_grid")
    run = importlib.import_module("reference_run")
    page = importlib.import_module("reference_page")
    for module in (grid, run):
        monkeypatch.setattr(module, "RUNS", tmp_path / "runs")
    for module in (grid, page):
        monkeypatch.setattr(module, "RECORD", tmp_path / "pruning.json")
    monkeypatch.setattr(page, "RESULTS", tmp_path)
    subject = dataclasses.replace(
        grid.SUBJECTS["digits"], dense_epochs=2, pruned_epochs=2, ablation_ratios=()
    )
    monkeypatch.setitem(grid.SUBJECTS, "digits", subject)
    grid.record.cache_clear()
    yield importlib.import_module
    grid.record.cache_clear()


def result(row, ratio, seed, integer):
    return {
        "name": f"digits-{row}-{ratio}-{seed}",
        "subject": "digits",
        "row": row,
        "ratio": ratio,
        "seed": seed,
        "integer": integer,
    }


def recorded(grid, ablations, results):
    """Give results the digests of the runs that they stand for."""
    runs = {run.name: run for run in (*grid.grid("digits"), *ablations.ablations("digits"))}
    return [{**found, "recipe": runs[found["name"]].recipe} for found in results]


def test_every_run_has_a_name_of_its_own(bench):
    grid, ablations = bench("reference_grid"), bench("ablation_grid")
    names = [
        run.name
        for subject in grid.SUBJECTS
        for run in (*grid.grid(subject), *ablations.ablations(subject))
    ]
    assert len(set(names)) == len(names)
    for subject in grid.SUBJECTS:
        for run in (*grid.grid(subject), *ablations.ablations(subject)):
            if run.ratio > 1:
                assert run.config(ramp_steps=10).ratio == run.ratio


def test_a_run_is_performed_once_and_leaves_its_result(bench, tmp_path):
    grid, reference = bench("reference_grid"), bench("reference")
    run = bench("reference_run")
    runs = [
        each
        for each in grid.grid("digits")
        if each.seed == 0 and (each.row, each.ratio) in (("dense", 1), ("darb", 8))
    ]
    assert reference.due(runs) == (runs[:1], runs[1:])
    for each in runs:
        found = run.perform_and_keep(each)
        assert json.loads((tmp_path / "runs" / f"{each.name}.json").read_text()) == found
        assert found["integer"] > 0.3
    assert found["reached"] >= 8
    assert found["stored"] <= 50432 / 8
    assert reference.due(runs) == ([], [])
    bench("reference_page").write_page()
    # The record stands in for the files, but not for the dense network that others start from.
    for path in (tmp_path / "runs").glob("*.json"):
        path.unlink()
    grid.record.cache_clear()
    assert reference.due(runs) == ([], [])
    (tmp_path / "runs" / "digits-dense-0.pt").unlink()
    more = [each for each in grid.grid("digits") if each.name == "digits-darb-4-0"]
    assert reference.due([*runs, *more]) == (runs[:1], more)
    # Another setting under the same name is another run.
    other = dataclasses.replace(runs[1], settings={**runs[1].settings, "max_k": 3})
    assert reference.due([other])[1] == [other]


def test_a_ratio_out_of_reach_is_a_result(bench):
    grid, run = bench("reference_grid"), bench("reference_run")
    run.perform_and_keep(next(grid.grid("digits")))
    bad = grid.Run(
        subject="digits", row="block-8", ratio=1000, seed=0, settings=grid.METHODS["block-8"]
    )
    found = run.perform_and_keep(bad)
    assert found["integer"] is None
    assert found["reason"].startswith("ratio must be at most")


def test_no_method_stores_more_than_its_ratio_says(bench):
    grid = bench("reference_grid")
    torch.manual_seed(0)
    for each in grid.grid("digits"):
        if each.ratio == 1 or each.seed:
            continue
        pruner = Pruner(mlp((64, 256, 128, 10)), each.config(), calibration=torch.rand(64, 64))
        try:
            reached = pruner.prepare().report().effective_ratio
        except ValueError as error:
            refusal = str(error)
        else:
            assert reached >= each.ratio, each.name
            continue
        assert each.row == "bank-balanced"
        assert refusal.startswith("ratio must be at most")


def test_the_largest_ratio_lies_where_the_line_crosses(bench):
    page = bench("reference_page")
    values = {4: 0.98, 8: 0.98, 13: 0.97, 16: 0.96, 25: 0.95}
    results = {
        ("darb", ratio): {seed: result("darb", ratio, seed, value) for seed in (0, 1)}
        for ratio, value in values.items()
    }
    ratio, open_ended = page.largest_ratio(results, "darb", 96.5)
    assert ratio == pytest.approx((13 * 16) ** 0.5)
    assert not open_ended
    assert page.largest_ratio(results, "darb", 97.0)[0] == pytest.approx(13)
    assert page.largest_ratio(results, "darb", 90.0) == (25, True)
    assert page.largest_ratio(results, "darb", 98.5) == (None, False)
    assert page.largest_ratio(results, "block-4", 98.5) == (None, False)


def test_the_page_says_what_was_measured(bench, tmp_path, monkeypatch):
    grid, page = bench("reference_grid"), bench("reference_page")
    subject = dataclasses.replace(
        grid.SUBJECTS["digits"],
        methods=("darb", "block-4"),
        ablations=("order-natural",),
        ablation_ratios=(8, 16),
    )
    monkeypatch.setitem(grid.SUBJECTS, "digits", subject)
    record = [result("dense", 1, seed, 0.98) for seed in (0, 1)]
    for ratio, ours, theirs in ((4, 0.98, 0.98), (8, 0.98, 0.97), (13, 0.97, 0.96)):
        record += [result("darb", ratio, seed, ours) for seed in (0, 1)]
        record += [result("block-4", ratio, seed, theirs) for seed in (0, 1)]
    record += [result("darb+order-natural", 8, seed, 0.97 - 0.01 * seed) for seed in (0, 1)]
    record += [result("darb", 16, seed, None) | {"reason": "no way"} for seed in (0, 1)]
    record += [result("darb+order-natural", 16, seed, 0.9) for seed in (0, 1)]
    record = recorded(grid, bench("ablation_grid"), record)
    (tmp_path / "pruning.json").write_text(json.dumps(record))
    page.write_page()
    text = (tmp_path / "pruning.md").read_text()
    assert "Dense: 98.00 ± 0.00 %" in text
    assert "| DARB | 98.00 ± 0.00 | 98.00 ± 0.00 | 97.00 ± 0.00 |" in text
    assert "| 10.2 | 1.00 |" in text
    assert "| 5.7 | 1.80 |" in text
    assert "| natural column order, every column stored | -1.50 ± 0.71 |  |" in text
    assert "- DARB: no way." in text
    assert (tmp_path / "pruning-digits.png").stat().st_size > 10_000
    kept = json.loads((tmp_path / "pruning.json").read_text())
    assert sorted(kept, key=str) == sorted(record, key=str)


def test_two_processes_of_torchrun_share_one_run(tmp_path):
    script = tmp_path / "run.py"
    script.write_text(
        f"""
import dataclasses, sys
from pathlib import Path

sys.path.insert(0, {str(BENCH)!r})
import reference, reference_grid, reference_page, reference_run

for module in (reference_grid, reference_run):
    module.RUNS = Path({str(tmp_path)!r}) / "runs"
for module in (reference_grid, reference_page):
    module.RECORD = Path({str(tmp_path)!r}) / "pruning.json"
reference_page.RESULTS = Path({str(tmp_path)!r})
reference_grid.SUBJECTS["digits"] = dataclasses.replace(
    reference_grid.SUBJECTS["digits"], dense_epochs=2, pruned_epochs=2, methods=("darb",)
)
reference_grid.RATIOS = (8,)
reference.main(["digits"], jobs=1, seeds=1, page=False)
"""
    )
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    done = subprocess.run(
        [sys.executable, *launcher, script],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("validation") == 2
    dense, pruned = (
        json.loads((tmp_path / "runs" / f"digits-{name}-0.json").read_text())
        for name in ("dense-1", "darb-8")
    )
    assert dense["integer"] > 0.5
    assert pruned["integer"] > 0.3
