"""Weights before pruning, weights kept and slots spent, and the two ratios between them."""

from __future__ import annotations


class Ratios:
    """Ratios of whatever counts `weights`, `stored` and `slots`."""

    @property
    def pruning_ratio(self) -> float:
        """Weights before pruning a stored weight."""
        return self.weights / self.stored

    @property
    def effective_ratio(self) -> float:
        """Weights before pruning a slot, padding included."""
        return self.weights / self.slots


class LayerTotals(Ratios):
    """Sums over `layers`, each of which counts `weights`, `stored` and `slots`."""

    @property
    def weights(self) -> int:
        """Weights before pruning."""
        return sum(layer.weights for layer in self.layers)

    @property
    def stored(self) -> int:
        """Weights that the patterns keep."""
        return sum(layer.stored for layer in self.layers)

    @property
    def slots(self) -> int:
        """Weight slots that the engine spends, padding included."""
        return sum(layer.slots for layer in self.layers)
