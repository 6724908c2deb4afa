"""The compiler cache: what it answers, what it leaves to the compiler, and what it survives."""

import os
import shlex
import shutil
import subprocess
import sys

import numpy as np
import pytest
from random_networks import random_network, random_vectors

from darb.golden import fit_config, pack, write_image
from darb.hw import Disturbance, generate, object_cache
from darb.hw.cocotb_runner import build, run_bench
from darb.hw.flow.step_cache import cache_directory
from darb.hw.object_cache import compile_cached, compiler_prefix
from darb.hw.simulation import compare
from darb.hw.simulators import find_simulator

LIBRARY = ("verilated.o", "verilated_dpi.o", "verilated_threads.o", "verilated_vpi.o")
COMPILER = """#!/bin/sh
case "$*" in *--version*) echo "{version}"; exit;; esac
echo call >>{calls}
exec c++ "$@"
"""

pytestmark = pytest.mark.skipif(shutil.which("c++") is None, reason="c++ is not on PATH")


class Project:
    """A library and a program of one line each, with a compiler that counts its calls."""

    def __init__(self, directory):
        self.kept, self.calls = directory / "kept", directory / "calls"
        self.library = directory / "library"
        self.library.mkdir()
        self.work = directory / "work"
        self.work.mkdir()
        self.program = directory / "compiler"
        self.set_version(1)
        (self.library / "value.h").write_text("#define VALUE 1\n")
        (self.library / "value.cpp").write_text('#include "value.h"\nint value() {return VALUE;}\n')
        (self.work / "top.h").write_text("#define TOP 2\n")
        (self.work / "top.cpp").write_text(
            "#include <value.h>\n#include <cstddef>\n"
            '#include "top.h"\nstd::size_t top() { return TOP + VALUE; }\n'
        )

    def set_version(self, version):
        self.program.write_text(COMPILER.format(version=version, calls=self.calls))
        self.program.chmod(0o755)

    def command(self, source, *flags):
        target = os.path.basename(source).replace(".cpp", ".o")
        paths = ["-I.", f"-I{self.library}", "-MMD", "-c", "-o", target, str(source)]
        return [str(self.program), "-O1", *flags, *paths]

    def compile(self, source, *flags):
        """Compile through the cache; returns the status, the calls of the compiler, the files."""
        before = self.count()
        status = compile_cached(str(self.kept), self.command(source, *flags))
        found = {path.name: path.read_bytes() for path in sorted(self.work.glob("*.[do]"))}
        for name in found:
            (self.work / name).unlink()
        return status, self.count() - before, found

    def count(self):
        return len(self.calls.read_text().splitlines()) if self.calls.exists() else 0

    def entries(self):
        return sorted(path for path in self.kept.iterdir() if not path.name.startswith("."))


@pytest.fixture
def project(tmp_path, monkeypatch):
    made = Project(tmp_path)
    monkeypatch.chdir(made.work)
    for name in object_cache._TELLING_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    return made


@pytest.mark.parametrize("name", ["library/value.cpp", "work/top.cpp"])
def test_the_second_call_compiles_nothing_and_writes_the_same(project, tmp_path, name):
    source = tmp_path / name
    first, second = project.compile(source), project.compile(source)
    assert first[:2] == (0, 1)
    assert second == (0, 0, first[2])
    assert len(first[2]) == 2
    assert len(project.entries()) == 1


def test_another_design_uses_the_same_library(project):
    project.compile(project.library / "value.cpp")
    project.compile("top.cpp")
    (project.work / "top.h").write_text("#define TOP 3\n")
    assert project.compile(project.library / "value.cpp")[1] == 0
    assert project.compile("top.cpp")[1] == 1


@pytest.mark.parametrize("flags", [["-O2"], ["-DVM_TRACE=1"], ["-std=c++17"], ["-fno-exceptions"]])
def test_other_flags_are_another_entry(project, flags):
    project.compile("top.cpp")
    assert project.compile("top.cpp", *flags)[:2] == (0, 1)
    assert project.compile("top.cpp", *flags)[:2] == (0, 0)
    assert len(project.entries()) == 2


def test_other_text_or_another_compiler_is_another_entry(project):
    _, _, before = project.compile("top.cpp")
    (project.library / "value.h").write_text("#define VALUE 5\n")
    _, calls, after = project.compile("top.cpp")
    assert calls == 1
    assert after["top.o"] != before["top.o"]
    # A header of that name in the design's own directory now stands before the library's.
    (project.work / "value.h").write_text("#define VALUE 6\n")
    assert project.compile("top.cpp")[1] == 1
    status = project.program.stat()
    project.set_version(2)
    os.utime(project.program, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert project.compile("top.cpp")[1] == 1
    os.utime(project.program, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    assert project.compile("top.cpp")[1] == 1


@pytest.mark.parametrize(
    "damage",
    [
        lambda whole: b"",
        lambda whole: whole[:-1],
        lambda whole: whole[:-1] + bytes([whole[-1] ^ 1]),
    ],
    ids=["empty", "short", "flipped"],
)
def test_a_damaged_entry_is_compiled_again(project, damage):
    _, _, first = project.compile("top.cpp")
    (entry,) = project.entries()
    whole = entry.read_bytes()
    entry.write_bytes(damage(whole))
    assert project.compile("top.cpp") == (0, 1, first)
    assert entry.read_bytes() == whole
    assert project.compile("top.cpp")[1] == 0


def test_a_cache_that_cannot_be_written_is_ignored(project):
    project.kept.write_text("a file")
    for _ in range(2):
        status, calls, found = project.compile("top.cpp")
        assert (status, calls, sorted(found)) == (0, 1, ["top.d", "top.o"])
    assert project.kept.read_text() == "a file"


@pytest.mark.parametrize("flags", [["-g"], ["-march=native"], ["-include", "top.h"], ["-Wp,-DA"]])
def test_a_call_that_is_not_understood_goes_to_the_compiler(project, flags):
    for _ in range(2):
        assert project.compile("top.cpp", *flags)[:2] == (0, 1)
    assert not project.kept.exists()


def test_variables_that_lead_elsewhere_stop_the_cache(project, monkeypatch):
    monkeypatch.setenv("CPATH", str(project.library))
    for _ in range(2):
        assert project.compile("top.cpp")[:2] == (0, 1)
    assert not project.kept.exists()


def test_what_a_macro_includes_is_never_kept(project):
    (project.work / "top.cpp").write_text('#define WHICH "top.h"\n#include WHICH\nint top = TOP;\n')
    for _ in range(2):
        assert project.compile("top.cpp")[:2] == (0, 1)
    assert project.entries() == []


def test_a_refusal_of_the_compiler_is_passed_on(project, capfd):
    (project.work / "top.cpp").write_text("int top = nothing;\n")
    for _ in range(2):
        status, calls, _ = project.compile("top.cpp")
        assert status != 0
        assert calls == 1
        assert "nothing" in capfd.readouterr().err
    assert project.entries() == []


def test_builds_at_once_compile_an_object_once(project, tmp_path):
    prefix = [sys.executable, "-I", "-S", object_cache.__file__, str(project.kept)]
    running = []
    for number in range(4):
        directory = tmp_path / f"work{number}"
        shutil.copytree(project.work, directory)
        command = [*prefix, *project.command("top.cpp")]
        running.append(subprocess.Popen(command, cwd=directory, stdout=subprocess.DEVNULL))
    assert [process.wait(60) for process in running] == [0] * 4
    assert project.count() == 1
    objects = {(tmp_path / f"work{number}" / "top.o").read_bytes() for number in range(4)}
    assert len(objects) == 1
    assert [path.name for path in project.kept.iterdir()] == [project.entries()[0].name]


def test_the_longest_unused_make_room(project, monkeypatch):
    flags = [f"-DNUMBER={number}" for number in range(3)]
    for age, flag in zip((30, 20, 10), flags, strict=True):
        known = set(project.entries()) if project.kept.exists() else set()
        project.compile("top.cpp", flag)
        (entry,) = set(project.entries()) - known
        used = entry.stat().st_mtime - age
        os.utime(entry, (used, used))
    assert project.compile("top.cpp", flags[0])[1] == 0
    monkeypatch.setattr(object_cache, "_MOST_BYTES", 3 * project.entries()[0].stat().st_size)
    project.compile("top.cpp", "-DNUMBER=3")
    assert len(project.entries()) == 3
    assert project.compile("top.cpp", flags[0])[1] == 0
    assert project.compile("top.cpp", flags[1])[1] == 1


def test_makefiles_are_told_of_the_users_own_cache_first(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("DARB_CACHE", str(tmp_path / "a $ b"))
    monkeypatch.delenv("OBJCACHE", raising=False)
    words = shlex.split(compiler_prefix().replace("$$", "$"))
    assert words[-1] == str(tmp_path / "a $ b" / "objects")
    assert not (tmp_path / "a $ b").exists()
    (tmp_path / "ccache").write_text("#!/bin/sh\n")
    (tmp_path / "ccache").chmod(0o755)
    assert compiler_prefix() == "ccache"
    monkeypatch.setenv("OBJCACHE", "sccache")
    assert compiler_prefix() == "sccache"


def test_no_cache_where_none_can_be(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("OBJCACHE", raising=False)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DARB_CACHE", str(tmp_path / "file" / "cache"))
    assert compiler_prefix() is None


def check_engine(lanes, directory):
    """Build and run an engine; returns the compiler's log."""
    rng = np.random.default_rng(lanes)
    network = random_network(rng, [9, 4], keeps=range(1, 3), weight_bits=8, lanes=lanes)
    image = pack(network, fit_config(network, lanes=lanes, rows=1))
    write_image(image, directory / "image")
    generate(directory / "image", directory / "build")
    tool = find_simulator("verilator")
    build(directory / "build", tool)
    vectors = random_vectors(rng, network, 3)
    seen = run_bench(directory / "build", tool, image, vectors, disturbance=Disturbance())
    result = compare(image, seen, vectors)
    assert (result.mismatches, result.cycle_mismatches) == (0, 0), lanes
    return (directory / "build" / "build.log").read_text().splitlines()


def test_a_second_engine_does_not_compile_verilators_library(tmp_path, monkeypatch):
    # The cache of the user, not an empty one: the library would be compiled for this test alone.
    for name in object_cache._TELLING_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    kept = cache_directory().with_name("objects")
    prefix = [sys.executable, "-I", "-S", object_cache.__file__, str(kept)]
    monkeypatch.setenv("OBJCACHE", shlex.join(prefix))
    check_engine(1, tmp_path / "first")
    for name in ("second", "again"):
        log = check_engine(2, tmp_path / name)
        assert {f"{name} was kept" for name in LIBRARY} <= set(log)
    assert "Vtop__ALL.o was kept" in log
