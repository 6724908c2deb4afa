"""What the kernel of a Conv2d meets at each of its positions."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional


def convolution_patches(module: nn.Conv2d, images: torch.Tensor) -> torch.Tensor:
    """Return the patches that the kernel is multiplied with, padding included.

    Parameters
    ----------
    module : torch.nn.Conv2d
        With any stride, dilation, padding and padding mode.
    images : torch.Tensor of float, shape (B, C, H, W)

    Returns
    -------
    torch.Tensor, shape (B, H', W', C * kh * kw)
        By the position of the output that the patch is for. In a patch channels run slowest, so
        that a group's are next to one another, and kernel columns fastest.
    """
    mode = "constant" if module.padding_mode == "zeros" else module.padding_mode
    padded = functional.pad(images, _padding(module), mode=mode)
    positions = [
        (size - dilation * (kernel - 1) - 1) // stride + 1
        for size, dilation, kernel, stride in zip(
            padded.shape[2:], module.dilation, module.kernel_size, module.stride, strict=True
        )
    ]
    patches = functional.unfold(
        padded, module.kernel_size, dilation=module.dilation, stride=module.stride
    )
    return patches.transpose(1, 2).unflatten(1, positions)


def _padding(module: nn.Conv2d) -> list[int]:
    """Return how far images are padded left, right, above and below."""
    sides: list[int] = []
    for axis in (1, 0):
        if module.padding == "same":
            total = module.dilation[axis] * (module.kernel_size[axis] - 1)
            sides += [total // 2, total - total // 2]
        else:
            sides += [0 if module.padding == "valid" else module.padding[axis]] * 2
    return sides
