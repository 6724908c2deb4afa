"""Datasets: the splits, and files that are refused."""

import gzip
import os
import re

import numpy as np
import pytest

from darb.sw.datasets import Dataset, digits, fashion_mnist, mnist


def idx(magic, values):
    shape = np.array(values.shape, dtype=">u4").tobytes()
    return magic.to_bytes(4, "big") + shape + values.astype(np.uint8).tobytes()


def write_mnist(folder, *, train=10_020, test=30, zipped=False):
    generator = np.random.default_rng(0)
    written = {}
    for part, count in (("train", train), ("t10k", test)):
        images = generator.integers(0, 256, size=(count, 28, 28))
        labels = generator.integers(0, 10, size=count)
        written[part] = (images, labels)
        for name, data in (
            (f"{part}-images-idx3-ubyte", idx(2051, images)),
            (f"{part}-labels-idx1-ubyte", idx(2049, labels)),
        ):
            if zipped:
                (folder / f"{name}.gz").write_bytes(gzip.compress(data, compresslevel=1))
            else:
                (folder / name).write_bytes(data)
    return written


def test_digits_are_split_by_class_without_overlap():
    data = digits()
    parts = [
        (data.train_x, data.train_y),
        (data.validation_x, data.validation_y),
        (data.test_x, data.test_y),
    ]
    assert sum(len(x) for x, _ in parts) == 1797
    assert (data.features, data.classes, data.name) == (64, 10, "digits")
    for (x, y), share in zip(parts, (0.6, 0.15, 0.25), strict=True):
        assert x.dtype == np.float32
        assert y.dtype == np.int64
        assert x.min() == 0
        assert x.max() == 1
        assert np.abs(np.bincount(y) / 1797 * 10 - share).max() < 0.03
    # The bundle itself holds no picture twice, so rows tell parts apart.
    rows = np.concatenate([x for x, _ in parts])
    assert len(np.unique(rows, axis=0)) == len(rows)


def test_digits_are_always_split_alike():
    first, again = digits(), digits()
    assert (first.test_x == again.test_x).all()
    assert (first.train_x == again.train_x).all()
    # A checkpoint of an earlier release must not have been trained on what is now the test part.
    assert first.test_y[:12].tolist() == [0, 4, 8, 6, 9, 7, 3, 1, 3, 4, 1, 3]


@pytest.mark.parametrize("zipped", [False, True])
def test_mnist_files_are_read(tmp_path, zipped):
    written = write_mnist(tmp_path, zipped=zipped)
    data = mnist(tmp_path)
    assert [len(x) for x in (data.train_x, data.validation_x, data.test_x)] == [20, 10_000, 30]
    images, labels = written["train"]
    assert (np.rint(data.train_x * 255).astype(int) == images[:20].reshape(20, 784)).all()
    assert (data.validation_y == labels[20:]).all()
    assert (data.test_y == written["t10k"][1]).all()
    assert 0 <= data.test_x.min() <= data.test_x.max() <= 1


@pytest.mark.parametrize("read", [mnist, fashion_mnist])
def test_both_of_mnists_format_are_checked_alike(tmp_path, read):
    write_mnist(tmp_path)
    data = read(tmp_path)
    assert data.name == read.__name__.replace("_", "-")
    assert (data.shape, data.features, len(data.train_x)) == ((784,), 784, 20)
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(idx(2049, LABELS + 10))
    with pytest.raises(ValueError, match=r"labels-idx1-ubyte: labels must be in 0..9, not 10$"):
        read(tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(FileNotFoundError, match=r"must hold t10k-labels-idx1-ubyte or "):
        read(tmp_path)
    with pytest.raises(TypeError, match=r"^directory must be a path, not 7$"):
        read(7)


def test_missing_file_is_named(tmp_path):
    write_mnist(tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte").unlink()
    text = f"{tmp_path} must hold t10k-labels-idx1-ubyte or t10k-labels-idx1-ubyte.gz"
    with pytest.raises(FileNotFoundError, match=f"^{re.escape(text)}$"):
        mnist(tmp_path)
    with pytest.raises(TypeError, match=r"^directory must be a path, not None$"):
        mnist(None)


IMAGES = np.zeros((30, 28, 28))
LABELS = np.zeros(30)


@pytest.mark.parametrize(
    ("name", "data", "text"),
    [
        (
            "t10k-images-idx3-ubyte",
            idx(2049, IMAGES),
            "magic number of images must be 2051, not 2049",
        ),
        (
            "t10k-images-idx3-ubyte",
            idx(2051, IMAGES)[:-1],
            "images of shape (30, 28, 28) must take 23536 bytes, not 23535",
        ),
        ("t10k-images-idx3-ubyte", b"\0\0", "must have a header of 16 bytes, not 2"),
        (
            "t10k-images-idx3-ubyte",
            idx(2051, IMAGES[:, :20]),
            "images must be 28 x 28 pixels, not (20, 28)",
        ),
        (
            "t10k-labels-idx1-ubyte",
            idx(2049, LABELS[:29]),
            "there must be a label for each of the 30 images, not 29",
        ),
        ("t10k-labels-idx1-ubyte", idx(2049, LABELS + 10), "labels must be in 0..9, not 10"),
        (
            "train-images-idx3-ubyte",
            idx(2051, IMAGES),
            "there must be a label for each of the 30 images, not 10020",
        ),
    ],
)
def test_bad_file_is_named_with_its_rule(tmp_path, name, data, text):
    write_mnist(tmp_path)
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ValueError, match=re.escape(text)) as caught:
        mnist(tmp_path)
    assert str(caught.value).startswith(str(tmp_path / name.split("-")[0]))


def test_too_few_training_images(tmp_path):
    write_mnist(tmp_path, train=10_000)
    text = "train-images-idx3-ubyte: there must be more than 10000 training images, not 10000"
    with pytest.raises(ValueError, match=re.escape(text)):
        mnist(tmp_path)


@pytest.mark.parametrize("cut", [0, 5, 200])
def test_broken_gzip_is_named(tmp_path, cut):
    write_mnist(tmp_path, zipped=True)
    path = tmp_path / "t10k-labels-idx1-ubyte.gz"
    data = path.read_bytes()
    path.write_bytes(b"no gzip at all" if not cut else data[: min(cut, len(data) - 4)])
    with pytest.raises(ValueError, match=re.escape(f"{path}: must be a whole gzip file (")):
        mnist(tmp_path)


def parts(shape=(3,), **changed):
    """Return a dataset's arguments: parts of 4, 2 and 1 examples."""
    arguments = {"name": "made", "classes": 3}
    for part, count in (("train", 4), ("validation", 2), ("test", 1)):
        arguments[f"{part}_x"] = np.zeros((count, *shape), dtype=np.float32)
        arguments[f"{part}_y"] = np.arange(count) % 3
    return {**arguments, **changed}


@pytest.mark.parametrize("shape", [(5,), (3, 4, 6), (7, 2)])
def test_examples_are_vectors_images_or_sequences(shape):
    data = Dataset(**parts(shape))
    assert (data.shape, data.features) == (shape, np.prod(shape))


@pytest.mark.parametrize(
    ("changed", "kind", "text"),
    [
        ({"name": 3}, TypeError, "name must be a str, not 3"),
        ({"classes": 3.0}, TypeError, "classes must be an int, not 3.0"),
        ({"classes": 0}, ValueError, "classes must be at least 1, not 0"),
        ({"test_x": [[0.0]]}, TypeError, "test_x must be an ndarray of float32, not [[0.0]]"),
        (
            {"test_x": np.zeros((1, 3))},
            TypeError,
            "test_x must be an ndarray of float32, not of float64",
        ),
        (
            {"train_y": np.zeros(4, dtype=np.int32)},
            TypeError,
            "train_y must be an ndarray of int64, not of int32",
        ),
        (
            {"train_x": np.zeros(4, dtype=np.float32)},
            ValueError,
            "train_x must have at least two axes, not shape (4,)",
        ),
        (
            {"validation_x": np.zeros((2, 1, 3), dtype=np.float32)},
            ValueError,
            "validation_x must hold examples of shape (3,), not (1, 3)",
        ),
        (
            {"test_x": np.array([[0, np.nan, 0]], dtype=np.float32)},
            ValueError,
            "test_x must be finite, not with NaN or infinity",
        ),
        (
            {"validation_y": np.zeros(3, dtype=np.int64)},
            ValueError,
            "validation_y must have shape (2,), not (3,)",
        ),
        ({"test_y": np.array([3])}, ValueError, "test_y must be in 0..2, not 3"),
        ({"test_y": np.array([-1])}, ValueError, "test_y must be in 0..2, not -1"),
    ],
)
def test_dataset_that_is_refused(changed, kind, text):
    with pytest.raises(kind, match=f"^{re.escape(text)}$"):
        Dataset(**parts(**changed))


@pytest.mark.mnist
@pytest.mark.skipif("DARB_MNIST_DIR" not in os.environ, reason="DARB_MNIST_DIR is not set")
def test_real_mnist():
    data = mnist(os.environ["DARB_MNIST_DIR"])
    assert [len(x) for x in (data.train_x, data.validation_x, data.test_x)] == [
        50_000,
        10_000,
        10_000,
    ]
    assert np.bincount(data.test_y).tolist() == [
        980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009,
    ]  # fmt: skip
