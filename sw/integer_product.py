"""Exact products of integer matrices, at the speed of floating-point ones."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from darb.golden.fixed_point import accumulator_magnitude

# Below these every sum, in whatever order, is a whole number that the type holds exactly.
_EXACT = {torch.float32: 1 << 24, torch.float64: 1 << 53}
_ACCUMULATOR_BITS = 32


class IntegerProduct:
    """Multiplies activation codes by a matrix of weight codes and adds the bias, all exact.

    Whole numbers are multiplied as floats, in the narrowest type in which no sum can round: the
    bound is over all inputs of `activation_bits`, not over those that come.

    Parameters
    ----------
    weights : ndarray of int, shape (M, N)
        Codes of at most 8 bits.
    bias : ndarray of int, shape (M,)
    activation_bits : int
        Width of the signed inputs.
    layer : str
        For messages.

    Raises
    ------
    ValueError
        If some input could bring an accumulator beyond 32 signed bits.
    """

    def __init__(
        self,
        weights: NDArray[np.integer],
        bias: NDArray[np.integer],
        *,
        activation_bits: int,
        layer: str,
    ) -> None:
        largest = accumulator_magnitude(weights.astype(np.int8), bias, activation_bits)
        if largest >= 1 << (_ACCUMULATOR_BITS - 1):
            raise ValueError(
                f"layer {layer}: accumulators must stay within {_ACCUMULATOR_BITS} bits, "
                f"not reach {largest!r}"
            )
        self.dtype = next(dtype for dtype, exact in _EXACT.items() if largest <= exact)
        self._matrix = torch.as_tensor(weights.T.copy()).to(self.dtype)
        self._bias = np.asarray(bias, dtype=np.int64)

    @torch.no_grad()
    def __call__(self, codes: torch.Tensor) -> NDArray[np.int64]:
        """Return the accumulators of each vector.

        Parameters
        ----------
        codes : torch.Tensor, shape (..., N)
            Whole numbers within `activation_bits`, of any type.

        Returns
        -------
        ndarray of int64, shape (..., M)
        """
        products = codes.to(device="cpu", dtype=self.dtype) @ self._matrix
        return products.numpy().astype(np.int64) + self._bias
