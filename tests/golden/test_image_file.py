import io
import itertools
import json
import os
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from forging import edit_manifest, replace_file, write_packed
from random_networks import random_network, random_vectors

from darb.golden import (
    EngineModel,
    ImageError,
    fit_config,
    pack,
    read_image,
    read_vectors,
    unpack,
    write_image,
)
from darb.golden.image_file import MissingVectorsError, check_content

FILES = ["image.json", "weights.mem", "indices.mem", "rows.mem", "layers.mem", "vectors.npz"]
MEMORIES = ["weights", "indices", "rows", "layers"]


def tiny_network(seed=0):
    return random_network(np.random.default_rng(seed), [5, 3, 2], ks=range(3), weight_bits=4)


@pytest.fixture
def tiny(tmp_path):
    directory = tmp_path / "image"
    write_packed(tiny_network(), directory, vectors={"inputs": np.arange(5)[None]})
    return directory


def listing(directory):
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*"))


def refusal(directory, read=read_image):
    with pytest.raises(ImageError) as caught:
        read(directory)
    return str(caught.value)


@pytest.mark.parametrize("seed", range(5))
def test_what_was_written_is_read(tmp_path, seed):
    rng = np.random.default_rng(seed)
    network = random_network(rng, [40, 20, 10, 3], keeps=(1, 2), spare_columns=0.2)
    image = pack(network, fit_config(network, lanes=4, rows=2))
    inputs = random_vectors(rng, network, 3)
    outputs = EngineModel(image).run(inputs)
    vectors = {"inputs": inputs, "outputs": outputs, "cycles": np.arange(3, dtype=np.int32)}
    formats = ("coe", "mif", "bin")
    assert write_image(image, tmp_path / "image", vectors=vectors, formats=formats) == (
        tmp_path / "image"
    )
    names = FILES + [f"{name}.{kind}" for name in MEMORIES for kind in formats]
    assert listing(tmp_path / "image") == sorted(names)
    back = read_image(tmp_path / "image")
    assert unpack(back) == network.drop_dead_rows()
    assert back.config == image.config
    assert back.digest == image.digest
    got = read_vectors(tmp_path / "image")
    assert got.keys() == vectors.keys()
    for name, values in vectors.items():
        assert got[name].dtype == values.dtype
        assert (got[name] == values).all()


def test_the_same_image_gives_the_same_bytes(tmp_path):
    for name in ("first", "second"):
        write_packed(
            tiny_network(),
            tmp_path / name,
            vectors={"inputs": np.eye(5, dtype=int)},
            formats=("coe", "bin"),
        )
    files = listing(tmp_path / "first")
    assert files == listing(tmp_path / "second")
    for name in files:
        assert (tmp_path / "first" / name).read_bytes() == (
            tmp_path / "second" / name
        ).read_bytes(), name


def flipped(content, bit):
    at = bit // 8
    return content[:at] + bytes([content[at] ^ 1 << bit % 8]) + content[at + 1 :]


@pytest.mark.parametrize("name", FILES[1:])
def test_every_flipped_bit_is_noticed(tiny, name):
    """By the content's check; test_manifest does the same for image.json."""
    good = (tiny / name).read_bytes()
    entry = json.loads((tiny / "image.json").read_bytes())["files"][name]
    assert check_content(name, good, entry) == good
    for bit in range(8 * len(good)):
        with pytest.raises(ImageError) as caught:
            check_content(name, flipped(good, bit), entry)
        assert str(caught.value) == (
            f"{name}: checksum does not match, the file was changed or damaged"
        ), bit


@pytest.mark.parametrize("name", FILES)
def test_a_flipped_bit_in_the_directory_is_noticed(tiny, name):
    good = (tiny / name).read_bytes()
    for bit in range(0, 8 * len(good), 61):
        (tiny / name).write_bytes(flipped(good, bit))
        assert refusal(tiny).startswith(f"{name}: "), bit
    (tiny / name).write_bytes(good)
    read_image(tiny)


@pytest.mark.parametrize("seed", [1])
def test_a_flipped_bit_anywhere_in_a_larger_image_is_noticed(tmp_path, seed):
    rng = np.random.default_rng(seed)
    network = random_network(rng, [150, 60, 20], spare_columns=0.1)
    vectors = {"inputs": random_vectors(rng, network, 20)}
    write_packed(network, tmp_path / "image", vectors=vectors, formats=("coe", "mif", "bin"))
    paths = sorted((tmp_path / "image").iterdir())
    sizes = np.array([path.stat().st_size for path in paths])
    for _ in range(300):
        by_size = sizes / sizes.sum() if rng.random() < 0.5 else None
        number = int(rng.choice(len(paths), p=by_size))
        at = int(rng.integers(sizes[number]))
        with open(paths[number], "r+b", buffering=0) as file:
            (good,) = os.pread(file.fileno(), 1, at)
            os.pwrite(file.fileno(), bytes([good ^ 1 << int(rng.integers(8))]), at)
            assert refusal(tmp_path / "image").startswith(f"{paths[number].name}: ")
            os.pwrite(file.fileno(), bytes([good]), at)
    read_image(tmp_path / "image")


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("cut", ["empty", "short", "long", "missing", "directory"])
def test_a_file_of_another_size(tiny, name, cut):
    path = tiny / name
    good = path.read_bytes()
    path.unlink()
    if cut == "directory":
        path.mkdir()
    elif cut != "missing":
        path.write_bytes({"empty": b"", "short": good[:-1], "long": good + b"0"}[cut])
    assert refusal(tiny).startswith(f"{name}: ")


@pytest.mark.parametrize(("first", "second"), [*itertools.combinations(MEMORIES, 2)])
def test_swapped_memories(tiny, first, second):
    contents = {name: (tiny / f"{name}.mem").read_bytes() for name in (first, second)}
    replace_file(tiny, f"{first}.mem", contents[second])
    replace_file(tiny, f"{second}.mem", contents[first])
    assert ".mem: " in refusal(tiny)


def test_memories_of_another_network(tiny, tmp_path):
    write_packed(tiny_network(seed=1), tmp_path / "other")
    for name in ("weights", "layers"):
        replace_file(tiny, f"{name}.mem", (tmp_path / "other" / f"{name}.mem").read_bytes())
    assert ".mem: " in refusal(tiny)


def test_no_directory_and_no_image(tmp_path):
    assert refusal(tmp_path / "nowhere") == (
        f"{tmp_path}/nowhere must be an image directory, but it is no directory"
    )
    assert refusal(tmp_path) == (
        f"image.json: the image must hold this file, but {tmp_path}/image.json is missing"
    )


def test_a_vendor_file_with_other_words(tmp_path):
    directory = tmp_path / "image"
    write_packed(tiny_network(), directory, formats=("coe",))
    path = directory / "rows.coe"
    content = path.read_bytes()
    replace_file(directory, "rows.coe", content.replace(b"0", b"1", 1))
    assert refusal(directory) == "rows.coe: must hold the same words as rows.mem"


def test_no_vectors(tmp_path):
    write_packed(tiny_network(), tmp_path / "image")
    with pytest.raises(MissingVectorsError) as caught:
        read_vectors(tmp_path / "image")
    assert str(caught.value) == "vectors.npz: the image must hold this file, but it has no vectors"


def test_vectors_without_inputs(tiny):
    archive = io.BytesIO()
    np.savez(archive, outputs=np.zeros((1, 2), dtype=int))
    replace_file(tiny, "vectors.npz", archive.getvalue())
    assert refusal(tiny, read_vectors) == ("vectors.npz: must hold inputs, but has ['outputs']")


def test_an_unknown_format_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(
        ValueError, match=r"^formats must be among \['bin', 'coe', 'mif'\], not 'hex'$"
    ):
        write_packed(tiny_network(), tmp_path / "image", formats=("coe", "hex"))
    assert listing(tmp_path) == []


def test_the_manifest_is_read_by_a_person(tiny):
    lines = (tiny / "image.json").read_text().splitlines()
    order = tiny_network().layers[0].columns.tolist()
    assert f'   "order": {order}' in lines
    assert ' "version": 1,' in lines
    manifest = json.loads("\n".join(lines))
    weights = manifest["memories"]["weights"]
    assert f'  "weights": {json.dumps(weights)},' in lines


@pytest.mark.parametrize("fail_at", range(6))
def test_a_failed_write_leaves_what_was_there(tmp_path, monkeypatch, fail_at):
    directory = tmp_path / "image"
    write_packed(tiny_network(), directory, vectors={"inputs": np.zeros((1, 5), int)})
    before = {name: (directory / name).read_bytes() for name in listing(directory)}
    written = 0
    whole = Path.write_bytes

    def failing(path, content):
        nonlocal written
        if written == fail_at:
            whole(path, content[: len(content) // 2])
            raise OSError("disk full")
        written += 1
        return whole(path, content)

    monkeypatch.setattr(Path, "write_bytes", failing)
    for target in (directory, tmp_path / "new"):
        written = 0
        with pytest.raises(OSError, match="disk full"):
            write_packed(tiny_network(seed=1), target, vectors={"inputs": np.ones((1, 5), int)})
    assert listing(tmp_path) == ["image", *(f"image/{name}" for name in before)]
    assert {name: (directory / name).read_bytes() for name in before} == before


def test_an_earlier_image_is_replaced_whole(tiny):
    write_packed(tiny_network(seed=1), tiny)
    assert "vectors.npz" not in listing(tiny)
    assert unpack(read_image(tiny)) == tiny_network(seed=1).drop_dead_rows()
    assert listing(tiny.parent) == ["image", *(f"image/{name}" for name in listing(tiny))]


def test_a_file_of_the_users_beside_the_image_is_kept(tiny):
    (tiny / "notes.txt").write_text("mine")
    before = listing(tiny)
    with pytest.raises(ValueError, match=r"an earlier output, not 'notes\.txt'$"):
        write_packed(tiny_network(seed=1), tiny)
    assert listing(tiny) == before


@pytest.mark.parametrize(("rows", "columns"), [((1 << 20) - 2, 1), (1 << 8, 1 << 17)])
def test_what_no_memory_holds_costs_a_reader_little(tmp_path, rows, columns):
    """A few digits claim dead rows and columns that an honest network could have."""
    network = random_network(np.random.default_rng(0), [1, 2, 1], ks=(0,), spare_columns=0.5)
    write_packed(network, tmp_path / "image", lanes=1, rows=1)

    def claim(manifest):
        first, second = manifest["layers"]
        first.update(rows=rows, columns=columns)
        second.update(columns=rows)

    edit_manifest(tmp_path / "image", claim)
    tracemalloc.start()
    try:
        read_image(tmp_path / "image")
        assert tracemalloc.get_traced_memory()[1] < 130 << 20
    finally:
        tracemalloc.stop()


def test_an_index_past_the_segment_with_every_checksum_right(tmp_path):
    directory = tmp_path / "image"
    network = random_network(np.random.default_rng(0), [5, 1], ks=(2,), lanes=1)
    write_packed(network, directory, lanes=1, rows=1)
    content = (directory / "indices.mem").read_bytes()
    replace_file(directory, "indices.mem", b"%03x\n" % (int(content, 16) | 3 << 2))
    assert refusal(directory) == (
        "indices.mem: layer fc0, packed row 0, lane 0, slot 1: index must stay below column 5, "
        "not 7"
    )


def test_the_digest_of_the_manifest(tiny):
    edit_manifest(tiny, lambda manifest: manifest.update(digest="0" * 24))
    digest = pack(tiny_network(), read_config(tiny)).digest
    assert refusal(tiny) == f"image.json: digest must be {digest}, not '{'0' * 24}'"


def read_config(directory):
    network = tiny_network()
    assert (directory / "image.json").is_file()
    return fit_config(network, lanes=2, rows=2)
