"""Labelled vectors, images or sequences, in a training, a validation and a test part."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from darb.sw.validation import check_int

PARTS = ("train", "validation", "test")


@dataclass(frozen=True, kw_only=True, eq=False)
class Dataset:
    """Labelled examples in three parts.

    Parameters
    ----------
    name : str
    train_x, validation_x, test_x : ndarray of float32, shape (B, ...)
        Finite, and the parts alike but for B: vectors (B, N), images (B, C, H, W) or sequences
        (B, T, F) of T frames. Every choice is made on the validation part; the test part is read
        once.
    train_y, validation_y, test_y : ndarray of int64, shape (B,)
        In 0..classes - 1.
    classes : int

    Raises
    ------
    TypeError
        If an argument is of the wrong kind.
    ValueError
        If the examples of a part have no axis, another shape than those for training, or a value
        that is not finite; if there is not one label for each; or a label is out of range.
    """

    name: str
    train_x: NDArray[np.float32]
    train_y: NDArray[np.int64]
    validation_x: NDArray[np.float32]
    validation_y: NDArray[np.int64]
    test_x: NDArray[np.float32]
    test_y: NDArray[np.int64]
    classes: int

    def __post_init__(self) -> None:
        if not isinstance(self.name, str):
            raise TypeError(f"name must be a str, not {self.name!r}")
        check_int("classes", self.classes, 1)
        for part in PARTS:
            x, y = getattr(self, f"{part}_x"), getattr(self, f"{part}_y")
            _check_array(f"{part}_x", x, np.float32)
            _check_array(f"{part}_y", y, np.int64)
            if x.ndim < 2:
                raise ValueError(f"{part}_x must have at least two axes, not shape {x.shape!r}")
            if x.shape[1:] != self.shape:
                raise ValueError(
                    f"{part}_x must hold examples of shape {self.shape}, not {x.shape[1:]!r}"
                )
            if not np.isfinite(x).all():
                raise ValueError(f"{part}_x must be finite, not with NaN or infinity")
            if y.shape != (len(x),):
                raise ValueError(f"{part}_y must have shape {(len(x),)}, not {y.shape!r}")
            for label in (y.min(), y.max()) if y.size else ():
                if not 0 <= label < self.classes:
                    raise ValueError(
                        f"{part}_y must be in 0..{self.classes - 1}, not {int(label)!r}"
                    )

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one example."""
        return self.train_x.shape[1:]

    @property
    def features(self) -> int:
        """Values of one example: N, the length of a vector."""
        return math.prod(self.shape)


def _check_array(name: str, value: object, kind: type) -> None:
    if not isinstance(value, np.ndarray):
        raise TypeError(f"{name} must be an ndarray of {kind.__name__}, not {value!r}")
    if value.dtype != kind:
        raise TypeError(f"{name} must be an ndarray of {kind.__name__}, not of {value.dtype}")
