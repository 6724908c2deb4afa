import re

import numpy as np
import pytest

from darb.sw.array_files import read_array


def test_it_returns_what_was_saved(tmp_path):
    values = np.arange(24.0, dtype=np.float32).reshape(2, 3, 4)
    np.save(tmp_path / "x.npy", values)
    read = read_array(tmp_path / "x.npy")
    assert read.dtype == np.float32
    assert np.array_equal(read, values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros(3), "must hold vectors, shape (B, ...), not (3,)"),
        (np.zeros((0, 3)), "must hold vectors, shape (B, ...), not (0, 3)"),
        (np.zeros((2, 2), dtype=complex), "must hold integers or real numbers, not complex128"),
        (np.zeros((2, 2), dtype=bool), "must hold integers or real numbers, not bool"),
        (np.array([[0, 1], [np.nan, 1]]), ": vector 1 must be finite, not with NaN or infinity"),
        (np.array([[{}]], dtype=object), "must be a whole .npy file of numbers"),
    ],
)
def test_refusals(tmp_path, values, message):
    path = tmp_path / "x.npy"
    np.save(path, values)
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        read_array(path)
    assert str(caught.value).startswith(str(path))


def test_a_text_file_is_refused_without_advice_to_unpickle_it(tmp_path):
    path = tmp_path / "x.npy"
    path.write_text("1 2 3\n")
    text = f"{path} must be a whole .npy file of numbers, as numpy.save writes it"
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        read_array(path)


def test_an_archive_is_refused(tmp_path):
    np.savez(tmp_path / "x.npz", a=np.zeros((2, 2)))
    with pytest.raises(ValueError, match=r"must be one array saved with numpy.save, not an"):
        read_array(tmp_path / "x.npz")


@pytest.mark.parametrize("content", [b"", b"not an array", b"\x93NUMPY\x01\x00"])
def test_a_damaged_file_is_refused(tmp_path, content):
    (tmp_path / "x.npy").write_bytes(content)
    with pytest.raises(ValueError, match=r"must be a whole .npy file of numbers"):
        read_array(tmp_path / "x.npy")


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"x\.npy must be a \.npy file$"):
        read_array(tmp_path / "x.npy")
