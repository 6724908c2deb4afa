"""The wheel alone, far from the checkout."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from documents import ROOT

pytestmark = pytest.mark.slow

_CHAIN = """
import numpy as np
import torch

torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Linear(20, 12), torch.nn.ReLU(), torch.nn.Linear(12, 4))
torch.export.save(torch.export.export(model, (torch.rand(1, 20),)), "model.pt2")
np.save("x.npy", torch.rand(50, 20).numpy())
"""

_WHERE = """
import sys
import darb.golden, darb.hw, darb.sw
print(*(module.__file__ for module in (darb.golden, darb.hw, darb.sw)), *sys.path, sep="\\n")
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Built from a copy of what git tracks, so that nothing stray gets in."""
    source = tmp_path_factory.mktemp("source")
    tracked = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    ).stdout.split("\0")
    for name in filter(None, tracked):
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, source / name)
    out = tmp_path_factory.mktemp("dist")
    run(source, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), ".")
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def elsewhere(wheel, tmp_path_factory):
    """A directory with the wheel unpacked in site/; its dependencies come from this Python."""
    directory = tmp_path_factory.mktemp("elsewhere")
    site = directory / "site"
    run(directory, "-m", "pip", "install", "--no-deps", "--no-index", "--target", site, wheel)
    return directory


def run(directory, *arguments, site=None):
    """Run this Python in `directory`; with `site`, darb comes from there alone."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    if site is not None:
        # -S keeps out the .pth file of an editable install; the other packages are named instead.
        packages = next(path for path in sys.path if path.endswith("site-packages"))
        environment["PYTHONPATH"] = os.pathsep.join([str(site), packages])
        arguments = ("-S", *arguments)
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=directory,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_the_wheel_holds_the_package_and_its_data(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    packed = {name for name in names if not name.startswith("darb-")}
    expected = {
        f"darb/{path.relative_to(ROOT)}"
        for layer in ("constraints", "golden", "hw", "sw")
        for path in (ROOT / layer).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert packed == expected
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_darb_comes_from_the_wheel_alone(elsewhere):
    lines = run(elsewhere, "-c", _WHERE, site=elsewhere / "site").splitlines()
    for line in lines[:3]:
        assert Path(line).is_relative_to(elsewhere / "site")
    assert not any(Path(line) in (ROOT, ROOT / "sw") for line in lines[3:])


@pytest.mark.parametrize(
    "simulator", ["verilator", pytest.param("icarus", marks=pytest.mark.icarus)]
)
def test_the_three_jobs(elsewhere, tmp_path, simulator):
    site = elsewhere / "site"
    run(tmp_path, "-c", _CHAIN, site=site)

    def darb(*arguments):
        code = "import sys; from darb.sw.cli import main; sys.exit(main())"
        return run(tmp_path, "-c", code, *arguments, site=site)

    darb("export", "model.pt2", "--calibration", "x.npy", "--ratio", "4", "-o", "image")
    assert "verified" in darb("inspect", "image")
    darb("generate", "image", "-o", "build")
    assert (tmp_path / "build" / "engine.v").is_file()
    assert "Every output" in darb("simulate", "image", "--simulator", simulator)
