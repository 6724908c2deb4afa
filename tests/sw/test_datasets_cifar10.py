"""CIFAR-10: its records, its split, and files that are refused."""

import re

import numpy as np
import pytest

from darb.sw.datasets import cifar10

NAMES = [*(f"data_batch_{index}.bin" for index in range(1, 6)), "test_batch.bin"]
RECORD = 3073


def write_cifar10(folder):
    """Write six files of 3 to 8 records and return them as bytes, shape (B, 3073)."""
    generator = np.random.default_rng(0)
    written = {}
    for count, name in enumerate(NAMES, start=3):
        records = generator.integers(0, 256, size=(count, RECORD), dtype=np.uint8)
        records[:, 0] %= 10
        written[name] = records
        (folder / name).write_bytes(records.tobytes())
    return written


def test_files_are_read_and_the_fifth_is_for_validation(tmp_path):
    written = write_cifar10(tmp_path)
    data = cifar10(tmp_path)
    assert (data.name, data.shape, data.features, data.classes) == (
        "cifar10",
        (3, 32, 32),
        3072,
        10,
    )
    for part, names in (("train", NAMES[:4]), ("validation", NAMES[4:5]), ("test", NAMES[5:])):
        records = np.concatenate([written[name] for name in names])
        images, labels = getattr(data, f"{part}_x"), getattr(data, f"{part}_y")
        assert labels.tolist() == records[:, 0].tolist()
        assert (np.rint(images * 255).reshape(len(records), -1) == records[:, 1:]).all()


def test_colours_rows_and_columns_are_where_they_belong(tmp_path):
    write_cifar10(tmp_path)
    record = np.zeros(RECORD, dtype=np.uint8)
    record[1 + 2 * 1024 + 5 * 32 + 7] = 255
    (tmp_path / "test_batch.bin").write_bytes(record.tobytes())
    assert np.argwhere(cifar10(tmp_path).test_x).tolist() == [[0, 2, 5, 7]]


@pytest.mark.parametrize("name", NAMES)
def test_missing_file_is_named(tmp_path, name):
    write_cifar10(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(FileNotFoundError, match=f"^{re.escape(f'{tmp_path} must hold {name}')}$"):
        cifar10(tmp_path)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "size must be a positive multiple of 3073 bytes, not 0"),
        (bytes(2 * RECORD - 1), "size must be a positive multiple of 3073 bytes, not 6145"),
        (bytes(RECORD) + b"\x0a" + bytes(3072), "labels must be in 0..9, not 10"),
    ],
)
@pytest.mark.parametrize("name", ["data_batch_2.bin", "test_batch.bin"])
def test_bad_file_is_named_with_its_rule(tmp_path, name, data, text):
    write_cifar10(tmp_path)
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ValueError, match=f"^{re.escape(f'{tmp_path / name}: {text}')}$"):
        cifar10(tmp_path)


def test_directory_is_a_path():
    with pytest.raises(TypeError, match=r"^directory must be a path, not 5$"):
        cifar10(5)
