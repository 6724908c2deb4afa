import io
import zipfile

import numpy as np
import pytest

from darb.golden import ImageError, vector_file
from darb.golden.vector_file import parse_vectors, spell_vectors

GOOD = {"inputs": np.arange(6).reshape(3, 2), "outputs": np.zeros((3, 4), int), "cycles": [7] * 3}


def refusal(content):
    with pytest.raises(ImageError) as caught:
        parse_vectors(content)
    return str(caught.value)


def npy(array):
    entry = io.BytesIO()
    np.lib.format.write_array(entry, np.asarray(array))
    return entry.getvalue()


def npz(entries, method=zipfile.ZIP_DEFLATED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return buffer.getvalue()


def with_header(text, tail=bytes(8)):
    header = text.encode()
    entry = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + tail
    return npz([("inputs.npy", entry)])


def test_what_was_spelled_is_parsed():
    got = parse_vectors(spell_vectors(GOOD))
    assert got.keys() == GOOD.keys()
    assert all((got[name] == GOOD[name]).all() for name in GOOD)
    only = parse_vectors(spell_vectors({"inputs": np.zeros((0, 2), dtype=np.int8)}))
    assert only["inputs"].dtype == np.int8
    assert only["inputs"].shape == (0, 2)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_what_numpy_saves_is_parsed(method):
    assert parse_vectors(npz([("inputs.npy", npy(GOOD["inputs"]))], method))["inputs"].size == 6


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"labels": np.zeros(3, int)}, "arrays must be among ['inputs', 'outputs', 'cycles'], not"),
        ({"inputs": np.eye(3)}, "inputs must be integers, not float64"),
        ({"inputs": np.arange(3)}, "inputs must have shape (B, N), B as inputs, not (3,)"),
        ({"outputs": np.zeros((2, 4), int)}, "outputs must have shape (B, N), B as inputs, not (2"),
        ({"cycles": [[7]] * 3}, "cycles must have shape (B), B as inputs, not (3, 1)"),
        ({"inputs": None}, "must hold inputs, but has ['cycles', 'outputs']"),
    ],
)
def test_refused_arrays(changes, text):
    """By the writer, and by the reader of a file that another writer has made."""
    arrays = {name: array for name, array in {**GOOD, **changes}.items() if array is not None}
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the text is compared
        spell_vectors(arrays)
    assert str(caught.value).startswith(f"vectors: {text}")
    content = npz([(f"{name}.npy", npy(array)) for name, array in arrays.items()])
    if "labels" in arrays:
        text = "must hold plain arrays (entries must be among ['inputs.npy', 'outputs.npy', "
    assert refusal(content).startswith(f"vectors.npz: {text}")


@pytest.mark.parametrize(
    "content", [b"", b"PK", b"\x93NUMPY\x01\x00", b"not an archive" * 9, b"PK\x05\x06" + bytes(17)]
)
def test_what_is_no_archive(content):
    assert refusal(content).startswith("vectors.npz: must hold plain arrays (")


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': (\n",
        "{'a': 1}\n  b\n c\n",
        "{'descr': '<i8', 'fortran_order': False, 'shape': (1000000000000000000000000000000,), }",
        "{'descr': '<i8', 'fortran_order': False, 'shape': (1000000000000000,), }",
        "{'descr': '<i8', 'fortran_order': False, 'shape': (-1,), }",
        "{'descr': [()], 'fortran_order': False, 'shape': (1,), }",
        "{'descr': ((((('i4'))),1),), 'fortran_order': False, 'shape': (1,), }",
        "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }",
        "{'descr': '''",
        "\0\0",
        "(" * 5000,
    ],
)
def test_forged_headers(header):
    assert refusal(with_header(header)).startswith("vectors.npz: must hold plain arrays (")


def test_pickles_are_never_loaded():
    entry = io.BytesIO()
    np.lib.format.write_array(entry, np.array([{"a": 1}], dtype=object))
    assert refusal(npz([("inputs.npy", entry.getvalue())])) == (
        "vectors.npz: must hold plain arrays (Object arrays cannot be loaded when "
        "allow_pickle=False)"
    )


@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
def test_an_array_stands_once():
    content = npz([("inputs.npy", npy([[1]])), ("inputs.npy", npy([[2]]))])
    assert refusal(content).endswith("each once, not 'inputs.npy')")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_decoders_are_never_started(method):
    assert refusal(npz([("inputs.npy", npy([[1]]))], method)) == (
        "vectors.npz: must hold plain arrays (inputs.npy must be stored or deflated)"
    )


def test_what_grows_too_large_is_never_unpacked(monkeypatch):
    monkeypatch.setattr(vector_file, "_MOST_BYTES", 1 << 20)
    large = np.zeros((1, 1 << 20), dtype=np.int8)
    assert parse_vectors(spell_vectors({"inputs": large}))["inputs"].size == 1 << 20
    with pytest.raises(
        ValueError, match=r"^vectors: arrays must take at most 1048576 bytes, not 2097152$"
    ):
        spell_vectors({"inputs": large, "outputs": large})
    bomb = npz([("inputs.npy", bytes(1 << 24))])
    assert len(bomb) < 1 << 15
    assert refusal(bomb) == (
        "vectors.npz: must hold plain arrays (arrays must take at most 1048576 bytes, not 16777216)"
    )
