import io
import pickle
import tracemalloc
import warnings
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
    if "integers" in text:
        text = f"must hold plain arrays ({text})"
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


class Payload:
    """Sets `ran` when it is unpickled."""

    ran = False

    def __reduce__(self):
        return setattr, (Payload, "ran", True)


def pickled():
    entry = io.BytesIO()
    np.lib.format.write_array(entry, np.array([Payload()], dtype=object))
    return entry.getvalue()


@pytest.mark.parametrize("renamed", [b"'|O'", b"'<i8'"])
def test_pickles_are_never_loaded(renamed):
    header = pickled()
    assert b"'|O'" in header
    # The same pickle behind a header that tells of integers is only bytes.
    entry = header.replace(b"'|O' ", renamed + b" ").replace(b"'|O'", renamed)
    text = refusal(npz([("inputs.npy", entry)]))
    if renamed == b"'|O'":
        assert text == ("vectors.npz: must hold plain arrays (inputs must be integers, not object)")
    assert refusal(npz([("inputs.npy", pickle.dumps(Payload()))])).startswith("vectors.npz: ")
    assert refusal(pickle.dumps(Payload())).startswith("vectors.npz: ")
    assert not Payload.ran
    pickle.loads(pickle.dumps(Payload()))
    assert Payload.ran
    Payload.ran = False


@pytest.mark.parametrize("shape", ["1 << 40", "3, 1 << 40", "1 << 20, 1 << 20", "0, 0, 1 << 62"])
def test_a_shape_is_compared_before_it_is_allocated(shape):
    sides = [eval(side) for side in shape.split(",")]
    header = f"{{'descr': '<i8', 'fortran_order': False, 'shape': {tuple(sides)!r}, }}\n"
    text, peak = peak_of(lambda: refusal(with_header(header)))
    assert text.startswith("vectors.npz: ")
    if 0 not in sides:
        assert text == (
            "vectors.npz: must hold plain arrays (inputs must fill its file, whose shape is "
            f"{tuple(sides)!r})"
        )
    assert peak < 1 << 20


def test_bytes_behind_an_array_are_refused():
    assert "inputs must fill its file" in refusal(npz([("inputs.npy", npy([[1]]) + b"0")]))


def test_what_a_header_would_warn_of_is_refused_in_silence():
    """Outside of the tests a warning would be more lines on the user's screen."""
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        with warnings.catch_warnings(record=True) as seen:
            for header in ("{'descr': 1[0]}", "{'descr': '\\d'}", "{'shape': (10L,)}"):
                assert refusal(with_header(header)).startswith("vectors.npz: ")
        assert not seen


def peak_of(action):
    tracemalloc.start()
    try:
        return action(), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_an_entry_that_is_longer_than_it_claims_is_cut_off_while_it_is_inflated():
    bomb = bytearray(npz([("inputs.npy", npy([[1]]) + bytes(1 << 26))]))
    size = len(npy([[1]]))
    for place in (bomb.index(b"PK\3\4") + 22, bomb.index(b"PK\1\2") + 24):
        bomb[place : place + 4] = size.to_bytes(4, "little")
    text, peak = peak_of(lambda: refusal(bytes(bomb)))
    assert text.startswith("vectors.npz: must hold plain arrays (")
    assert peak < 1 << 20


def test_an_entry_that_is_packed_in_more_than_it_holds():
    archive = bytearray(npz([("inputs.npy", bytes(range(256)) * 512)], zipfile.ZIP_STORED))
    for place in (archive.index(b"PK\3\4") + 22, archive.index(b"PK\1\2") + 24):
        archive[place : place + 4] = (99).to_bytes(4, "little")
    assert refusal(bytes(archive)) == (
        "vectors.npz: must hold plain arrays (inputs.npy must not be shorter than what it is "
        "packed in)"
    )


def test_a_long_directory_is_never_read():
    many = npz([(f"{number}.npy", b"") for number in range(20_000)])
    text, peak = peak_of(lambda: refusal(many))
    assert text == "vectors.npz: must hold plain arrays (must end as a .npz file of a few arrays)"
    assert peak < 1 << 20


@pytest.mark.parametrize("first", [0, 255])
def test_a_long_directory_behind_a_comment_is_never_read(first):
    """The comment has the length of what ends an archive, and says that the directory is short."""
    many = bytearray(npz([(f"{number}.npy", b"") for number in range(5_000)]))
    many[-2:] = (22).to_bytes(2, "little")
    archive = bytes(many) + bytes([first]) + bytes(21)
    assert len(zipfile.ZipFile(io.BytesIO(archive)).infolist()) == 5_000
    text, peak = peak_of(lambda: refusal(archive))
    assert text == "vectors.npz: must hold plain arrays (must end as a .npz file of a few arrays)"
    assert peak < 1 << 20


@pytest.mark.parametrize("seed", range(4))
def test_whatever_is_changed_it_is_refused_or_holds_arrays(seed):
    rng = np.random.default_rng(seed)
    arrays = {"inputs": rng.integers(-128, 128, (4, 9)), "cycles": np.arange(4)}
    good = [spell_vectors(arrays), npz([(f"{n}.npy", npy(a)) for n, a in arrays.items()], 0)]
    texts = []
    for _ in range(400):
        content = bytearray(good[int(rng.integers(2))])
        for _ in range(int(rng.integers(1, 4))):
            at = int(rng.integers(len(content)))
            content[at : at + int(rng.integers(3))] = rng.bytes(int(rng.integers(3)))
        try:
            back = parse_vectors(bytes(content))
        except ImageError as error:
            texts.append(str(error))
        else:
            assert all(array.dtype.kind in "iu" for array in back.values()), f"seed {seed}"
    assert len(texts) > 200, f"seed {seed}"
    for text in texts:
        assert text.startswith("vectors.npz: "), f"seed {seed}"
        assert text.isprintable(), f"seed {seed}"
        assert len(text) < 400, f"seed {seed}"


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
