"""A Linear or Conv2d that computes under a drawn mask, with quantised weights."""

from __future__ import annotations

import torch
from torch import nn
from torch.func import functional_call

from darb.sw.dpp.selection import Selection
from darb.sw.dpp.weight_quantizer import quantize_weight


class DppLayer(nn.Module):
    """Stands in for a layer while it is pruned by DPP.

    Each call computes with ``quantise(weight) * mask``; the weight's gradient is that of the
    units drawn, so a unit that is not drawn is not trained in that step.

    Parameters
    ----------
    layer : torch.nn.Linear or torch.nn.Conv2d
        Holds the real weights.
    selection : Selection, optional
        None keeps every weight.
    bits : int, optional
        See `quantize_weight`.
    shared : bool
        One scale for all the layer's weights.
    """

    def __init__(
        self,
        layer: nn.Linear | nn.Conv2d,
        *,
        selection: Selection | None,
        bits: int | None = None,
        shared: bool = False,
    ) -> None:
        super().__init__()
        self.layer = layer
        self.selection = selection
        self.bits = bits
        self.shared = shared
        # Without its map a bias would be a constant that every later layer has to read.
        self._masks_bias = selection is not None and layer.bias is not None and (
            selection.rows.shape == (len(layer.weight), *(1 for _ in layer.weight.shape[1:]))
        )  # fmt: skip

    def parameters_under(self, mask: torch.Tensor | None) -> dict[str, torch.Tensor]:
        """Return weight and bias as the layer computes with them.

        Parameters
        ----------
        mask : torch.Tensor, optional
            Ones and zeros that broadcast to the weight.
        """
        weight, bias = self.layer.weight, self.layer.bias
        kept = torch.ones((), device=weight.device) if mask is None else mask.detach()
        weight = quantize_weight(weight, kept.bool(), self.bits, shared=self.shared)
        parameters = {"weight": weight if mask is None else weight * mask}
        if bias is not None:
            parameters["bias"] = bias * mask.detach().flatten() if self._masks_bias else bias
        return parameters

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return what the layer gives under a mask drawn for this call."""
        mask = None if self.selection is None else self.selection()
        return functional_call(self.layer, self.parameters_under(mask), (x,))

    @torch.no_grad()
    def finish(self) -> tuple[nn.Linear | nn.Conv2d, torch.Tensor]:
        """Write masked, quantised weights into the layer; return it and its mask.

        Returns
        -------
        layer : torch.nn.Linear or torch.nn.Conv2d
        mask : torch.Tensor of bool, of the weight's shape
        """
        mask = None if self.selection is None else self.selection.sure_units()
        final = self.parameters_under(None if mask is None else mask.to(self.layer.weight))
        for name, value in final.items():
            getattr(self.layer, name).copy_(value)
        kept = torch.ones_like(self.layer.weight, dtype=torch.bool)
        return self.layer, kept if mask is None else kept & mask
