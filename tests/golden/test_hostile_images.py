"""Images that somebody means ill with, or a disk has damaged: refused, cheaply, in one line."""

import json
import os
import socket
import tracemalloc

import numpy as np
import pytest
from forging import edit_manifest, replace_file, write_packed
from hypothesis import given, settings
from hypothesis import strategies as st
from random_networks import random_network

from darb.golden import ImageError, read_image, read_vectors
from darb.golden.manifest import parse, spell

FILES = ["image.json", "weights.mem", "indices.mem", "rows.mem", "layers.mem", "vectors.npz"]
KINDS = ("coe", "mif", "bin")


def small_image(directory):
    network = random_network(np.random.default_rng(3), [3, 2], ks=(1,), weight_bits=2)
    vectors = {"inputs": np.arange(3)[None]}
    write_packed(network, directory, lanes=1, rows=1, vectors=vectors, formats=KINDS)
    return directory


@pytest.fixture
def image(tmp_path):
    return small_image(tmp_path / "image")


def read_all(directory):
    return read_image(directory), read_vectors(directory)


def refusal(directory, read=read_all):
    """Return what the image is refused with, which must fit a line and cost little memory."""
    tracemalloc.start()
    try:
        with pytest.raises(ImageError) as caught:
            read(directory)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    text = str(caught.value)
    assert text.isprintable()
    assert len(text) < 500
    assert peak < 8 << 20
    return text


def test_every_flipped_bit_of_every_file_is_noticed(image):
    """Where it lies, one after the other, the whole directory read each time."""
    paths = sorted(image.iterdir())
    assert len(paths) == len(FILES) + 4 * len(KINDS)
    for path in paths:
        good = path.read_bytes()
        with open(path, "r+b", buffering=0) as file:
            for bit in range(8 * len(good)):
                at = bit // 8
                os.pwrite(file.fileno(), bytes([good[at] ^ 1 << bit % 8]), at)
                with pytest.raises(ImageError) as caught:
                    read_image(image)
                assert str(caught.value).startswith(f"{path.name}: "), (path.name, bit)
                os.pwrite(file.fileno(), good[at : at + 1], at)
    read_all(image)


def replaced_by(kind, path, elsewhere):
    """Put something in the place of `path` that is no plain file."""
    path.rename(elsewhere)
    if kind == "link to the same":
        path.symlink_to(elsewhere)
    elif kind == "link to nothing":
        path.symlink_to(elsewhere.with_name("nothing"))
    elif kind == "link to a device":
        path.symlink_to("/dev/zero")
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "directory":
        path.mkdir()
    else:
        # A socket's path must be short.
        os.chdir(path.parent)
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path.name)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes and links in a directory")
@pytest.mark.parametrize("name", [*FILES, "rows.coe"])
@pytest.mark.parametrize(
    "kind",
    ["link to the same", "link to nothing", "link to a device", "pipe", "directory", "socket"],
)
def test_nothing_but_plain_files_is_read(image, tmp_path, monkeypatch, name, kind):
    monkeypatch.chdir(tmp_path)
    replaced_by(kind, image / name, tmp_path / "elsewhere")
    assert refusal(image) == f"{name}: must be a plain file, not a link, a pipe or the like"


def claim_size(directory, name, size):
    """Make a file, and the manifest's record of it, `size` bytes long, without writing them."""
    os.truncate(directory / name, size)
    edit_manifest(directory, lambda manifest: manifest["files"][name].update(bytes=size))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("weights.mem", "weights.mem: must hold 4 words of 1 digits (8 bytes), not 1099511627776"),
        ("layers.mem", "layers.mem: must hold 3 words of 24 digits (75 bytes), not 1099511627776"),
        ("rows.coe", "rows.coe: must hold the same words as rows.mem"),
        ("indices.bin", "indices.bin: must hold the same words as indices.mem"),
        ("vectors.npz", "vectors.npz: must be at most 537919488 bytes, not 1099511627776"),
    ],
)
def test_a_long_file_of_holes_is_never_read(image, name, text):
    claim_size(image, name, 1 << 40)
    assert refusal(image).startswith(text)


def test_a_long_manifest_is_never_read(image):
    os.truncate(image / "image.json", 1 << 40)
    assert refusal(image) == ("image.json: must be at most 67108864 bytes, not 1099511627776")


def widest(manifest):
    """Claim the largest memories that a config can ask for."""
    config, memories = manifest["config"], manifest["memories"]
    config.update(lanes=256, rows=64, weight_bits=8, weight_depth=1 << 24)
    memories["weights"] = {"depth": 1 << 24, "width": 256 * 64 * 8}
    memories["indices"]["width"] = 256 * 64 * 12
    memories["rows"]["width"] += 7


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (widest, "the sum of all memories must be at most 268435456 bytes, not 274877931572"),
        (lambda m: m["config"].update(weight_depth=1 << 40), "weight_depth must be in 1..16777216"),
        (lambda m: m["config"].update(lanes=10**4000), "lanes must be in 1..256, not 1000"),
        (lambda m: m["memories"]["rows"].update(depth=1 << 40), "memory rows must be 2 words of"),
        (lambda m: m["config"].update({"\x1b[31m": 1}), "config field \\x1b[31m is unknown"),
        (lambda m: m["config"].update({"x" * 10**6: 1}), "config field xxxxx"),
        (lambda m: m["config"].update(output_mode="x" * 10**6), "output_mode must be one of ["),
        (lambda m: m.update(digest="x" * 10**6), "digest must be "),
        (lambda m: m.update(version="\x1b" * 10**5), "version must be 1, not '\\x1b"),
        (lambda m: m["files"].update({"../" * 10**5: {}}), "files must be named as an image "),
        (lambda m: m["files"]["rows.mem"].update(bytes=10**4000), ""),
        (lambda m: m.update(version=0), "version must be 1, not 0; export the network again"),
        (lambda m: m.update(version=2), "version must be 1, not 2; export the network again"),
        (lambda m: m.update(version=True), "version must be an integer, not True"),
        (lambda m: m.update(version=1.0), "version must be an integer, not 1.0"),
        (lambda m: m.update(version="1"), "version must be 1, not '1'; export the network again"),
    ],
)
def test_claims_are_judged_before_anything_is_made_of_them(image, change, text):
    edit_manifest(image, change)
    assert refusal(image).startswith(f"image.json: {text}" if text else "rows.mem: ")


def rewrite(directory, raw):
    (directory / "image.json").write_bytes(raw)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda raw: raw.decode().encode("utf-16"), "checksum does not match"),
        (lambda raw: raw.decode().encode("utf-32-be"), "checksum does not match"),
        (lambda raw: b"\xef\xbb\xbf" + raw, "checksum does not match"),
        (lambda raw: raw.replace(b'"fc0"', b'"\xff\xfe"'), "must be JSON ('utf-8' codec"),
        (lambda raw: raw.replace(b'"fc0"', b'"\\ud800"'), "checksum does not match"),
        (lambda raw: raw.replace(b'"version": 1', b'"version": 1, "version": 1'), "checksum"),
        (lambda raw: raw.replace(b'"rows": 1', b'"rows": 9, "rows": 1', 1), "checksum does not"),
        (lambda raw: raw.replace(b'"rows": 1', b'"rows": NaN', 1), "checksum does not match"),
        (lambda raw: raw.replace(b'"rows": 1', b'"rows": -Infinity', 1), "checksum does not"),
        (lambda raw: raw.replace(b'"rows": 1', b'"rows": 1' + b"0" * 4000, 1), "checksum does"),
        (lambda raw: raw.replace(b'"rows": 1', b'"rows": 1' + b"0" * 5000, 1), "must be JSON ("),
        (lambda raw: raw.replace(b"\n", b"\r\n"), "checksum does not match"),
        (lambda raw: raw + b" ", "checksum does not match"),
        (lambda raw: raw + raw, "must be JSON (Extra data: "),
        (lambda raw: raw[:-3], "must be JSON ("),
        (lambda raw: b"\0" * len(raw), "must be JSON ("),
    ],
)
def test_a_manifest_that_is_spelled_otherwise(image, change, text):
    raw = (image / "image.json").read_bytes()
    rewrite(image, change(raw))
    assert (image / "image.json").read_bytes() != raw
    assert refusal(image).startswith(f"image.json: {text}")


@pytest.mark.parametrize("field", ["format", "version", "x"])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a": ', "}")])
def test_no_depth_of_nesting_is_too_deep_for_a_refusal(field, opening, closing):
    depths = [*range(1, 40), *range(40, 3000, 37), 10**5, 10**6]
    for depth in depths:
        nested = json.dumps({"format": "darb image", "version": 1, field: 0})
        nested = nested.replace(f'"{field}": 0', f'"{field}": {opening * depth}0{closing * depth}')
        with pytest.raises(ImageError, match=r"^image\.json: "):
            parse(nested.encode())


@pytest.mark.parametrize("mark", ["[", "{", '"', ","])
def test_a_manifest_of_countless_small_values_is_never_parsed(image, mark):
    body = {
        "[": "[]," * (2 << 20),
        "{": "{}," * (2 << 20),
        '"': '"",' * (2 << 20),
        ",": "0," * (9 << 20),
    }
    raw = b'{"format": "darb image", "version": 1, "x": [' + body[mark].encode() + b"0]}"
    tracemalloc.start()
    try:
        with pytest.raises(ImageError) as caught:
            parse(raw)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
    assert str(caught.value).startswith(f"image.json: must hold {mark} at most ")


@pytest.mark.parametrize(
    ("mark", "most"), [("[", 1048576), ("{", 1048576), ('\\"', 1048576), (",", 8388608)]
)
def test_the_most_of_each_mark(mark, most):
    """Inside a string, where they cost nothing; its quotes are marks themselves."""
    spare = {"{": 1, '\\"': 4}.get(mark, 0)
    for count, refused in ((most, False), (most + 1, True)):
        raw = b'{"x": "' + mark.encode() * (count - spare) + b'"}'
        with pytest.raises(ImageError) as caught:
            parse(raw)
        told = f"image.json: must hold {mark[-1]} at most {most} times, not {count}"
        assert (str(caught.value) == told) == refused


@pytest.mark.parametrize("body", ["0," * 1_000_000, "1.5," * 500_000])
def test_a_long_list_of_numbers_costs_little_more_than_itself(body):
    raw = f'{{"format": "darb image", "version": 1, "x": [{body}0]}}'.encode()
    tracemalloc.start()
    try:
        with pytest.raises(ImageError, match="checksum does not match"):
            parse(raw)
        assert tracemalloc.get_traced_memory()[1] < 24 * len(raw)
    finally:
        tracemalloc.stop()


def test_a_long_list_that_is_not_of_numbers_is_never_spelled():
    raw = b'{"format": "darb image", "version": 1, "x": ["a"' + b",0" * 1_000_000 + b"]}"
    with pytest.raises(ImageError) as caught:
        parse(raw)
    assert str(caught.value) == "image.json: must hold at most 262144 values beside its numbers"


@pytest.mark.parametrize("name", ["rows.coe", "weights.mif", "layers.bin", "vectors.npz"])
def test_a_file_that_looks_like_the_images_must_be_listed(image, name):
    edit_manifest(image, lambda manifest: manifest["files"].pop(name))
    read = read_image if name == "vectors.npz" else read_all
    assert refusal(image, read) == f"{name}: must be listed in image.json, or not be here"
    (image / name).unlink()
    read_image(image)


def test_a_file_of_another_name_changes_nothing(image):
    before = read_image(image)
    for name in ("notes.txt", "weights.mem~", ".image.json.swp", "Weights.mem2"):
        (image / name).write_bytes(b"\0" * 99)
    (image / "more").mkdir()
    after = read_image(image)
    assert after.digest == before.digest
    assert after.config == before.config
    for name, words in before.memories.items():
        assert (after.memories[name] == words).all()


@pytest.mark.parametrize(
    ("inputs", "text"),
    [
        (np.zeros((2, 4), int), "input vectors must have shape (B, 3), not (2, 4)"),
        (np.full((1, 3), 128), "input vector 0, column 0 must be in -128..127, not 128"),
    ],
)
def test_vectors_of_another_image(tmp_path, inputs, text):
    network = random_network(np.random.default_rng(3), [3, 2], ks=(1,), weight_bits=2)
    write_packed(network, tmp_path / "image", lanes=1, rows=1, vectors={"inputs": inputs})
    assert refusal(tmp_path / "image", read_vectors) == f"vectors.npz: {text}"


def places(value, path=()):
    """Return the path to every value inside a manifest."""
    if path:
        yield path
    if isinstance(value, dict | list):
        for key, child in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(child, (*path, key))


STRANGE = [0, -1, 1 << 20, 1 << 40, 10**300, 1e308, float("nan"), "\x1b[2J", "../x", "\ud800"]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 9) | st.floats() | st.sampled_from(STRANGE),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=2)
    ),
    max_leaves=4,
)


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    return small_image(tmp_path_factory.mktemp("shared") / "image")


@settings(max_examples=400)
@given(st.data())
def test_any_value_anywhere_is_refused_or_gives_the_same_words(shared, data):
    """With the checksum made right: what is taken is what the memories do not tell."""
    raw = (shared / "image.json").read_bytes()
    good, manifest = read_image(shared), json.loads(raw)
    *way, last = data.draw(st.sampled_from([*places(manifest)]))
    holder = manifest
    for key in way:
        holder = holder[key]
    holder[last] = data.draw(VALUES)
    rewrite(shared, spell(manifest))
    try:
        got = read_image(shared)
    except ImageError as error:
        text = str(error)
    else:
        text = None
    finally:
        rewrite(shared, raw)
    if text is not None:
        assert ": " in text
        assert text.isprintable()
        assert len(text) < 500
        return
    assert got.config == good.config
    for name, words in good.memories.items():
        assert (got.memories[name] == words).all()
    if spell(manifest) != raw:
        # Another order is another network with the same words.
        field = [key for key in (*way, last) if isinstance(key, str)][-1]
        assert field in {"input_scale", "output_scales", "name", "align", "order"}


def test_files_of_another_image_are_noticed_one_by_one(image, tmp_path):
    """Each file swapped for that of another network of the same config."""
    other = tmp_path / "other"
    network = random_network(np.random.default_rng(4), [3, 2], ks=(1,), weight_bits=2)
    vectors = {"inputs": np.arange(3)[None] + 1}
    write_packed(network, other, lanes=1, rows=1, vectors=vectors, formats=KINDS)
    for path in sorted(other.iterdir()):
        good, bad = (image / path.name).read_bytes(), path.read_bytes()
        if good == bad:
            continue
        (image / path.name).write_bytes(bad)
        text = refusal(image)
        if path.name != "image.json":
            assert text.startswith(f"{path.name}: ")
        (image / path.name).write_bytes(good)
    replace_file(image, "vectors.npz", (other / "vectors.npz").read_bytes())
    read_all(image)
