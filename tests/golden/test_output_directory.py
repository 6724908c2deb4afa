import ctypes
import importlib.util
import os
import sys

import pytest

from darb.golden import output_directory, scratch_directory
from darb.golden.output_directory import replaced_directory

KNOWN = ("data.bin", "logs/*.log", "cache/")


def listing(directory):
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*"))


def put(target, text):
    with replaced_directory(target, "marker", KNOWN) as fresh:
        (fresh / "marker").write_text(text)


@pytest.fixture
def target(tmp_path):
    put(tmp_path / "out", "old")
    return tmp_path / "out"


def test_an_earlier_output_is_replaced_whole(target):
    for name in ("data.bin", "logs/1.log", "cache/a", "cache/deep/er/b"):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        (target / name).write_text("old")
    put(target, "new")
    assert listing(target.parent) == ["out", "out/marker"]
    assert (target / "marker").read_text() == "new"


@pytest.mark.parametrize(
    "name", ["my_top.v", "a/marker", "a/data.bin", "logs/notes.txt", "logs/a/1.log", "cache2/a"]
)
def test_a_file_of_another_origin_is_never_replaced(target, name):
    (target / name).parent.mkdir(parents=True, exist_ok=True)
    (target / name).write_text("mine")
    before = listing(target.parent)
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the text is compared whole
        put(target, "new")
    assert str(caught.value) == (
        f"output {target} must hold nothing but an earlier output, not '{name}'"
    )
    assert listing(target.parent) == before


@pytest.mark.parametrize("name", ["cache", "logs", "elsewhere"])
def test_a_link_to_a_directory_is_a_file_of_another_origin(target, tmp_path, name):
    (tmp_path / "precious").mkdir()
    (target / name).symlink_to(tmp_path / "precious")
    with pytest.raises(ValueError, match=f"not '{name}'$"):
        put(target, "new")


def put_while_the_user_works(target):
    with replaced_directory(target, "marker") as fresh:
        (fresh / "marker").write_text("new")
        (target / "mine.txt").write_text("mine")


def test_a_file_that_appears_meanwhile_is_kept(target):
    with pytest.raises(ValueError, match=r"not 'mine\.txt'$"):
        put_while_the_user_works(target)
    assert listing(target.parent) == ["out", "out/marker", "out/mine.txt"]
    assert (target / "marker").read_text() == "old"


@pytest.mark.parametrize("kind", [KeyboardInterrupt, OSError])
@pytest.mark.parametrize("done", [False, True])
@pytest.mark.parametrize("number", [1, 2])
def test_an_exception_between_the_renames_leaves_the_old_or_the_new(
    target, monkeypatch, number, done, kind
):
    """Raised by the first or the second rename, before it or after it has done its work."""
    monkeypatch.setattr(output_directory, "_exchange", lambda first, second: False)
    whole, calls = os.rename, []

    def failing(source, to):
        calls.append(source)
        if len(calls) == number and not done:
            raise kind("now")
        whole(source, to)
        if len(calls) == number:
            raise kind("now")

    monkeypatch.setattr(os, "rename", failing)
    with pytest.raises(kind, match="now"):
        put(target, "new")
    assert listing(target.parent) == ["out", "out/marker"]
    assert (target / "marker").read_text() == ("new" if (number, done) == (2, True) else "old")


def test_the_only_copy_is_never_removed(target, monkeypatch):
    monkeypatch.setattr(output_directory, "_exchange", lambda first, second: False)
    whole, calls = os.rename, []

    def failing(source, to):
        calls.append(source)
        if len(calls) > 1:
            raise KeyboardInterrupt
        whole(source, to)

    monkeypatch.setattr(os, "rename", failing)
    with pytest.raises(KeyboardInterrupt):
        put(target, "new")
    texts = [path.read_text() for path in target.parent.glob(".out.*/*/marker")]
    assert sorted(texts) == ["new", "old"]
    # The next call brings the old one back, and keeps it when it fails itself.
    monkeypatch.setattr(os, "rename", whole)
    with pytest.raises(RuntimeError, match="enough"), replaced_directory(target, "marker"):
        raise RuntimeError("enough")
    assert listing(target.parent) == ["out", "out/marker"]
    assert (target / "marker").read_text() == "old"


def left_over(target, *contents, name="out", random="abcd_123"):
    """Make what a killed process leaves beside `target`."""
    for content in contents:
        left = target.parent / f".{name}.darb-{random}" / content
        left.mkdir(parents=True)
        (left / "marker").write_text(content)


@pytest.mark.parametrize("contents", [["new"], ["old"], ["new", "old"]])
def test_what_is_left_over_is_removed_and_never_preferred(target, contents):
    left_over(target, *contents)
    with pytest.raises(RuntimeError, match="enough"), replaced_directory(target, "marker"):
        raise RuntimeError("enough")
    assert listing(target.parent) == ["out", "out/marker"]
    assert (target / "marker").read_text() == "old"


def test_an_old_output_alone_is_not_brought_back(tmp_path):
    """It may be half removed: the new one took its place, and the user removed that."""
    left_over(tmp_path / "out", "old")
    put(tmp_path / "out", "new")
    assert (tmp_path / "out" / "marker").read_text() == "new"
    assert listing(tmp_path / "out") == ["marker"]


def test_what_another_output_or_the_user_has_beside_is_kept(target):
    left_over(target, "new", name="out.darb-a")
    left_over(target, "new", name="out2")
    left_over(target, "new", random="mine")
    (target.parent / ".out.darb-12345678").write_text("a file")
    (target.parent / ".out.darb-link_678").symlink_to(target)
    before = listing(target.parent)
    put(target, "new")
    assert listing(target.parent) == before


def test_what_a_living_process_makes_is_kept(target):
    with replaced_directory(target, "marker") as fresh:
        (fresh / "marker").write_text("first")
        put(target, "second")
        assert (target / "marker").read_text() == "second"
        assert (fresh / "marker").read_text() == "first"
    assert (target / "marker").read_text() == "first"
    assert listing(target.parent) == ["out", "out/marker"]


def test_what_is_left_over_is_removed_behind_what_is_kept(target):
    """What stands first in the directory is another's, or in use, or no directory."""
    (target.parent / ".another").mkdir()
    (target.parent / ".out.darb-00000000").write_text("a file")
    used = target.parent / ".out.darb-11111111"
    left_over(target, "new", random="11111111")
    left_over(target, "new", random="zzzzzzzz")
    handle = scratch_directory._lock(used, wait=True)
    try:
        scratch_directory.take_up(target)
    finally:
        os.close(handle)
    assert listing(target.parent) == [
        ".another",
        ".out.darb-00000000",
        ".out.darb-11111111",
        ".out.darb-11111111/new",
        ".out.darb-11111111/new/marker",
        "out",
        "out/marker",
    ]


@pytest.mark.parametrize("contents", [["new"], ["old"], ["new", "old"]])
def test_what_another_user_left_beside_is_kept(target, monkeypatch, contents):
    left_over(target, *contents)
    before = listing(target.parent)
    monkeypatch.setattr(os, "geteuid", lambda: os.stat(target).st_uid + 1)
    put(target, "new")
    assert listing(target.parent) == before


def test_a_directory_that_cannot_be_listed_is_written_to(target, monkeypatch):
    def refused(path):
        raise PermissionError(path)

    with monkeypatch.context() as patch:
        patch.setattr(type(target.parent), "iterdir", refused)
        scratch_directory.take_up(target)
    assert (target / "marker").read_text() == "old"


@pytest.mark.parametrize("missing", ["fcntl", "ctypes", "renameat2", "flock"])
def test_a_system_that_can_do_less_still_replaces(target, monkeypatch, missing):
    if missing == "fcntl":
        monkeypatch.setattr(scratch_directory, "fcntl", None)
    elif missing == "renameat2":
        monkeypatch.setattr(ctypes, "CDLL", lambda name: None)
    elif missing == "ctypes":
        monkeypatch.setitem(sys.modules, "ctypes", None)
    else:

        def refusing(handle, operation):
            raise OSError("no locks here")

        monkeypatch.setattr(scratch_directory.fcntl, "flock", refusing)
    put(target, "new")
    assert listing(target.parent) == ["out", "out/marker"]
    assert (target / "marker").read_text() == "new"


def test_a_system_without_fcntl_imports_the_module_all_the_same(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "fcntl", None)
    spec = importlib.util.find_spec("darb.golden.scratch_directory")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.fcntl is None
    with module.scratch_directory(tmp_path / "out") as scratch:
        assert listing(tmp_path) == [scratch.name]
    assert listing(tmp_path) == []


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_the_users_mask_gives_the_mode(tmp_path, mask):
    before = os.umask(mask)
    try:
        put(tmp_path / "out", "new")
        (tmp_path / "plain").mkdir()
    finally:
        os.umask(before)
    mode = (tmp_path / "out").stat().st_mode
    assert mode == (tmp_path / "plain").stat().st_mode
    assert mode & 0o777 == 0o777 & ~mask


def test_parents_are_made_and_an_empty_directory_is_taken(tmp_path):
    (tmp_path / "empty").mkdir()
    for name in ("empty", "a/b/c"):
        put(tmp_path / name, "new")
        assert (tmp_path / name / "marker").read_text() == "new"


def test_through_a_link_its_target_is_replaced(target):
    link = target.parent / "link"
    link.symlink_to(target)
    put(link, "new")
    assert link.is_symlink()
    assert (target / "marker").read_text() == "new"


@pytest.mark.parametrize("precious", ["file", "directory"])
def test_something_else_is_never_replaced(tmp_path, precious):
    target = tmp_path / "precious"
    if precious == "file":
        target.write_text("mine")
    else:
        target.mkdir()
        (target / "thesis.txt").write_text("mine")
    before = listing(tmp_path)
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the text is compared whole
        put(target, "new")
    assert str(caught.value) == (
        f"output {target} must be a new directory, an empty one or one that holds marker"
    )
    assert listing(tmp_path) == before
