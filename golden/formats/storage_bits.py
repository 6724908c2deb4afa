"""What a matrix takes in memory under some storage format, item by item."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class StorageBits:
    """Bits that a stored matrix takes; no bit is counted in two items.

    Parameters
    ----------
    values : int
        The weights that are not zero.
    indices : int
        What says where in its row, column or block row each of them stands.
    pointers : int
        What says where rows, columns or block rows begin and end.
    padding : int
        Everything else that is stored: zeros with their own indices, and fields left unused.

    Raises
    ------
    TypeError
        If an item is no int.
    ValueError
        If an item is below 0.
    """

    values: int
    indices: int
    pointers: int
    padding: int

    def __post_init__(self) -> None:
        for name, bits in dataclasses.asdict(self).items():
            if isinstance(bits, bool) or not isinstance(bits, int):
                raise TypeError(f"storage {name} must be an int, not {bits!r}")
            if bits < 0:
                raise ValueError(f"storage {name} must be at least 0, not {bits!r}")

    @property
    def total(self) -> int:
        """The sum of the items."""
        return self.values + self.indices + self.pointers + self.padding

    @property
    def overhead(self) -> int:
        """All but the weights themselves."""
        return self.total - self.values

    def __add__(self, other: StorageBits) -> StorageBits:
        """Return the storage of two matrices, such as two layers of a network."""
        if not isinstance(other, StorageBits):
            return NotImplemented
        mine, theirs = dataclasses.asdict(self), dataclasses.asdict(other)
        return StorageBits(**{name: bits + theirs[name] for name, bits in mine.items()})
