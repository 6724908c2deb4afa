"""One Linear or Conv2d in integers: codes in, exact accumulators out."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from darb.golden.fixed_point import signed_range
from darb.sw.integer_product import IntegerProduct
from darb.sw.pruning.convolution_patches import convolution_patches
from darb.sw.pruning.layer_modules import PrunableModule
from darb.sw.quantization_scales import quantize_rows


def encode(values: torch.Tensor, *, scale: float, bits: int) -> torch.Tensor:
    """Return real values as activation codes: divided by `scale`, rounded to even, saturated.

    Parameters
    ----------
    values : torch.Tensor
    scale : float
        Real value of one step.
    bits : int
        Width of the signed codes.

    Returns
    -------
    torch.Tensor of float64, of the same shape
        Whole numbers.
    """
    return torch.round(values.double() / scale).clamp(*signed_range(bits))


class QuantizedLayer:
    """The weights of a Linear or Conv2d as codes, symmetric with one scale a row.

    A convolution is the product of its weights, a row for each output channel, with every patch
    that the kernel meets; padding has code zero.

    Parameters
    ----------
    name : str
        For messages.
    module : torch.nn.Linear or torch.nn.Conv2d
        A Conv2d may have groups, stride, dilation and padding with zeros.
    input_scale : float
        Real value of one step of the layer's inputs.
    weight_bits, activation_bits : int
    shared : bool
        One scale for all rows.

    Attributes
    ----------
    rows : RowCodes

    Raises
    ------
    ValueError
        If a weight is not finite, a Conv2d pads with something else than zeros, or an accumulator
        could be wider than 32 bits.
    """

    def __init__(
        self,
        name: str,
        module: PrunableModule,
        *,
        input_scale: float,
        weight_bits: int,
        activation_bits: int,
        shared: bool = False,
    ) -> None:
        if not all(torch.isfinite(parameter).all() for parameter in module.parameters()):
            raise ValueError(f"layer {name}: weights and bias must be finite, not NaN or infinity")
        weights = module.weight.detach().flatten(1).double().cpu().numpy()
        if module.bias is None:
            bias = np.zeros(len(weights))
        else:
            bias = module.bias.detach().double().cpu().numpy()
        self.name = name
        self.module = module
        self.input_scale = input_scale
        self.rows = quantize_rows(
            weights, bias, input_scale=input_scale, weight_bits=weight_bits, shared=shared
        )
        self._convolution = isinstance(module, nn.Conv2d)
        if self._convolution and module.padding_mode != "zeros":
            raise ValueError(
                f"layer {name}: padding_mode must be 'zeros', not {module.padding_mode!r}"
            )
        groups = module.groups if self._convolution else 1
        self._products = [
            IntegerProduct(own, own_bias, activation_bits=activation_bits, layer=name)
            for own, own_bias in zip(
                np.split(self.rows.weights, groups), np.split(self.rows.bias, groups), strict=True
            )
        ]

    def accumulators(self, codes: torch.Tensor) -> NDArray[np.int64]:
        """Return the exact sums, bias included.

        Parameters
        ----------
        codes : torch.Tensor
            Whole numbers within `activation_bits`, of the shape that the module takes, a batch.

        Returns
        -------
        ndarray of int64, shape (..., M) or (B, H, W, M)
            Rows last.
        """
        if not self._convolution:
            return self._products[0](codes)
        # Patches of 8-bit codes are whole numbers in float32 too, in half the memory.
        patches = convolution_patches(self.module, codes.float())
        parts = patches.chunk(self.module.groups, dim=-1)
        sums = [product(part) for product, part in zip(self._products, parts, strict=True)]
        return np.concatenate(sums, axis=-1)

    def laid_out(self, values: NDArray) -> torch.Tensor:
        """Return values whose rows are last as the module would lay its outputs out."""
        tensor = torch.as_tensor(values)
        return tensor.movedim(-1, 1) if self._convolution else tensor
