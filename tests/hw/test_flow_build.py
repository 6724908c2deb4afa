"""Real builds, one small network a family: bitstream, timing met, contents read back."""

import hashlib
import json
import re
import subprocess
from dataclasses import replace

import numpy as np
import pytest
from random_networks import random_network

from darb.golden import (
    EngineModel,
    Storage,
    fit_config,
    pack,
    read_image,
    schedule,
    steady_interval,
    write_image,
)
from darb.golden.memory_map import memory_shapes
from darb.hw.boards import find_board
from darb.hw.flow import BuildError, build, generate_project
from darb.hw.flow.block_ram import random_contents, to_bits
from darb.hw.flow.block_ram_text import CONTENTS_TEXTS
from darb.hw.flow.design import Design
from darb.hw.flow.image_contents import ImageContents
from darb.hw.flow.step import Step
from darb.hw.flow.toolchain import TOOLCHAINS
from darb.hw.flow.tools import find_tool

BOARDS = ["ulx3s-25f", "icebreaker", "tang-nano-9k"]


@pytest.fixture(scope="module", autouse=True)
def _cache(tmp_path_factory):
    """Keep the calls of this module, and of none before it."""
    patch = pytest.MonkeyPatch()
    patch.setenv("DARB_CACHE", str(tmp_path_factory.mktemp("cache")))
    yield
    patch.undo()


def image_directories(path):
    """Write two images of one config and return their directories."""
    networks = [random_network(np.random.default_rng(seed), [12, 9, 5], lanes=2) for seed in (5, 6)]
    configs = [fit_config(network, lanes=2, rows=1) for network in networks]
    room = {
        name: max(getattr(config, name) for config in configs)
        for name in configs[0].to_dict()
        if name not in ("lanes", "rows", "output_mode")
    }
    return [
        write_image(pack(network, fit_config(network, lanes=2, rows=1, **room)), path / name)
        for network, name in zip(networks, "ab", strict=True)
    ]


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return image_directories(tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    return tmp_path_factory.mktemp("outputs")


@pytest.mark.slow
@pytest.mark.parametrize("name", BOARDS)
def test_from_image_to_bitstream(images, outputs, tmp_path, name):
    board, toolchain = find_board(name), TOOLCHAINS[find_board(name).family]
    phases = []
    report = build(
        images[0], board, outputs / name, progress=lambda *seen: phases.append((seen[0], seen[3]))
    )
    image = read_image(images[0])
    plan = schedule(image, EngineModel(image).layers)
    assert report.timing_met
    assert report.clock_reached_hz >= report.clock_asked_hz == board.engine_clock_hz
    assert report.cycles == steady_interval(plan, image)
    assert report.image_digest == image.digest
    bitstream = (outputs / name / toolchain.bitstream).read_bytes()
    assert report.bitstream_sha256 == hashlib.sha256(bitstream).hexdigest()
    assert json.loads((outputs / name / "report.json").read_text()) == report.to_dict()
    assert (outputs / name / "report.md").read_text() == report.to_markdown()
    assert {step for step, _ in phases} >= {"synthesis", "place-and-route", "bitstream"}
    assert {phase for _, phase in phases} >= {"place", "route"}
    for kind, use in report.usage.items():
        # Every kind is used, and none is out of bounds: no name of the report was misread.
        assert 0 < use.used <= use.available, kind
    assert report.usage["block RAM"].available == board.capacity.block_rams
    assert "exchanged after place and route" in report.contents
    assert (outputs / name / "place-and-route.log").stat().st_size > 1000

    # The other image: no step of place and route is run again.
    again = build(images[1], board, outputs / "other", weights_only=True)
    assert again.seconds["synthesis"] == again.seconds["place-and-route"] == 0.0
    assert again.seconds["bitstream"] > 0.0
    assert again.image_digest == read_image(images[1]).digest != report.image_digest
    assert again.bitstream_sha256 != report.bitstream_sha256
    assert (again.usage, again.clock_reached_hz) == (report.usage, report.clock_reached_hz)
    # And back: a bitstream depends on nothing but what it is made from.
    third = build(images[0], board, outputs / "other", weights_only=True)
    assert third.bitstream_sha256 == report.bitstream_sha256


@pytest.mark.slow
def test_an_exchange_gives_the_bitstream_of_a_build_with_these_contents(
    images, tmp_path, monkeypatch
):
    """The only check of the contents for a family whose bitstreams no tool reads back."""
    board = find_board("tang-nano-9k")
    image = read_image(images[0])
    shapes = memory_shapes(image.config)
    grain = TOOLCHAINS[board.family].grain
    wanted = random_contents(shapes, grain=grain, seed=1)
    bits = {memory: to_bits(words, shapes[memory][1]) for memory, words in wanted.items()}
    digests = []
    for placed_with in (random_contents(shapes, grain=grain, seed=0), wanted):
        start = ImageContents.__init__

        def set_contents(self, *arguments, start=start, placed_with=placed_with):
            start(self, *arguments)
            self._random, self._real = placed_with, bits

        with monkeypatch.context() as patch:
            patch.setattr(ImageContents, "__init__", set_contents)
            report = build(images[0], board, tmp_path / "out")
        digests.append(report.bitstream_sha256)
    assert digests[0] == digests[1]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "bitstream"), [("icebreaker", "top.bin"), ("ulx3s-12f", "top.bit")]
)
def test_the_project_builds_by_hand(images, tmp_path, name, bitstream):
    board = find_board(name)
    project = generate_project(images[0], board, tmp_path / "project", storage=Storage.RAM)
    assert not list(project.glob("*.mem"))
    environment = {"PATH": f"{find_tool('yosys').command[0].rpartition('/')[0]}:/usr/bin:/bin"}
    done = subprocess.run(
        ["sh", project / "build.sh"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert (project / bitstream).stat().st_size > 10_000
    # What the script leaves does not keep a build or a project from being written anew.
    assert (project / "netlist.json").exists()
    build(images[0], board, project)
    generate_project(images[0], board, project)
    assert (project / "weights.mem").exists()
    assert {path.name for path in project.iterdir()} >= {"build.sh", "weights.mem", "top.v"}
    assert not (project / bitstream).exists()


@pytest.mark.slow
def test_a_wrong_bit_in_the_bitstream_is_noticed(images, outputs, tmp_path, monkeypatch):
    board = find_board("icebreaker")
    put = ImageContents.put

    def put_wrong(self, directory):
        put(self, directory)
        path = directory / "top.asc"
        text = CONTENTS_TEXTS[board.family]
        blocks = text.read(path.read_text())
        place = self._places["weights"]
        name = self._names[place.block[2, 3]]
        blocks[name][place.row[2, 3], place.column[2, 3]] ^= True
        path.write_text(text.write(path.read_text(), blocks))

    monkeypatch.setattr(ImageContents, "put", put_wrong)
    with pytest.raises(
        BuildError,
        match=r"readback: word 2 of memory weights in the bitstream differs from the image's; logs",
    ):
        build(images[0], board, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert (tmp_path / "out.failed" / "readback.log").exists()


@pytest.mark.slow
def test_a_missed_clock_is_told_with_what_was_reached(images, tmp_path):
    board = find_board("icebreaker")
    with pytest.raises(
        BuildError, match=r"timing: 96.00 MHz were asked, (\d+\.\d+) reached"
    ) as told:
        build(images[0], board, tmp_path / "out", clock_hz=96_000_000)
    message = str(told.value)
    reached = float(re.search(r"asked, (\d+\.\d+) reached", message)[1])
    assert 15 < reached < 96
    assert f"try --clock {int(reached)}" in message
    assert re.search(r"(From|Within) .* ns, \d+ cells? between registers", message)
    assert not (tmp_path / "out").exists()
    assert (tmp_path / "out.failed" / "place-and-route.log").exists()
    assert "fmax" in json.loads((tmp_path / "out.failed" / "timing.json").read_text())


@pytest.mark.slow
def test_a_design_too_large_for_the_chip_says_what_is_over(tmp_path):
    network = random_network(np.random.default_rng(7), [16, 4], lanes=16)
    image = pack(network, fit_config(network, lanes=16, rows=1))
    directory = write_image(image, tmp_path / "image")
    with pytest.raises(
        BuildError,
        match=r"the design needs more than iCEBreaker has: .*\d+ (multiplier|block RAM) of \d+",
    ):
        build(directory, find_board("icebreaker"), tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert (tmp_path / "out.failed" / "place-and-route.log").exists()


def test_weights_only_needs_a_placed_design(images, tmp_path, monkeypatch):
    monkeypatch.setenv("DARB_CACHE", str(tmp_path / "cache"))
    with pytest.raises(
        BuildError, match="--weights-only exchanges the weights of a placed design, but none of"
    ):
        build(images[0], find_board("icebreaker"), tmp_path / "out", weights_only=True)
    assert not (tmp_path / "out").exists()


def test_weights_only_where_contents_are_not_exchangeable_says_why(images, tmp_path, monkeypatch):
    board = find_board("icebreaker")
    small = replace(board, capacity=replace(board.capacity, block_rams=10))
    monkeypatch.setattr(Step, "is_cached", lambda self, directory: True)
    with pytest.raises(
        BuildError,
        match=r"--weights-only cannot be on iCEBreaker for this engine: all image memories in "
        r"block RAM take \d+ of them, there are 10; the small ones are in logic",
    ):
        build(images[0], small, tmp_path / "out", weights_only=True)


def test_weights_only_means_nothing_with_storage_ram(images, tmp_path):
    with pytest.raises(ValueError, match=r"must be left out with storage ram, .* not True"):
        build(
            images[0],
            find_board("icebreaker"),
            tmp_path / "out",
            storage=Storage.RAM,
            weights_only=True,
        )


def test_vivado_builds_for_xilinx(images, tmp_path):
    with pytest.raises(
        ValueError,
        match="board must be one that open tools build for, not 'arty-a7-35': write its project "
        "with 'darb generate --board arty-a7-35' and let Vivado build that",
    ):
        build(images[0], find_board("arty-a7-35"), tmp_path / "out")


def test_an_output_that_is_not_a_build_is_refused_first(images, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("precious")
    with pytest.raises(ValueError, match=r"one that holds top\.v"):
        build(images[0], find_board("icebreaker"), tmp_path / "out")
    assert (tmp_path / "out" / "thesis.tex").read_text() == "precious"


@pytest.mark.parametrize("name", BOARDS)
def test_a_toolchain_names_the_tools_that_it_calls(name):
    board = find_board(name)
    toolchain = TOOLCHAINS[board.family]
    design = Design(constraints="c", memories=(), exchangeable=False, clock_hz=1e6)
    steps = [*toolchain.implementation(board, design), *toolchain.packing(board)]
    if toolchain.readback is not None:
        steps += toolchain.readback(board)
    assert tuple(step.tool for step in steps) == toolchain.tools
