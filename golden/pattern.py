"""Row patterns: which columns of a row may hold a weight, as two small integers."""

from __future__ import annotations

from dataclasses import dataclass

MOST_K = 12
MOST_KEEP = 255


def most_keep(k: int) -> int:
    """Return how many weights a block of ``2**k`` columns may keep at most."""
    return min(1 << k, MOST_KEEP)


@dataclass(frozen=True, order=True)
class Pattern:
    """Each block of ``2**k`` consecutive columns of the row keeps `keep` weights.

    ======================  ==========================================
    method                  pattern
    ======================  ==========================================
    dense                   ``Pattern(0, 1)``
    DARB, BMWM              ``Pattern(k, 1)``, k row by row or the same
    N:M                     ``Pattern(log2(M), N)``
    k-of-n a segment (DPP)  ``Pattern(ceil(log2(n)), k)``, one block a segment
    ======================  ==========================================

    Raises
    ------
    TypeError
        If `k` or `keep` is no int.
    ValueError
        If `k` is not in 0..12 or `keep` not in 1..2**k or above 255.
    """

    k: int
    keep: int = 1

    def __post_init__(self) -> None:
        for name in ("k", "keep"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int):
                raise TypeError(f"pattern {name} must be an int, not {value!r}")
        if not 0 <= self.k <= MOST_K:
            raise ValueError(f"pattern k must be in 0..{MOST_K}, not {self.k!r}")
        limit = most_keep(self.k)
        if not 1 <= self.keep <= limit:
            raise ValueError(
                f"pattern keep must be in 1..{limit} at k = {self.k}, not {self.keep!r}"
            )

    def __str__(self) -> str:
        return f"{self.keep} of {self.block_size}"

    @property
    def block_size(self) -> int:
        """Columns in a block."""
        return 1 << self.k

    def blocks(self, length: int) -> int:
        """Return how many blocks cover a segment of `length` columns."""
        return -(-length // self.block_size)

    def slots(self, length: int) -> int:
        """Return how many weight slots a segment of `length` columns takes in one row."""
        return self.blocks(length) * self.keep

    def stored(self, length: int) -> int:
        """Return how many weights a run of `length` columns keeps, its last block cut short."""
        whole, rest = divmod(length, self.block_size)
        return whole * self.keep + min(rest, self.keep)


@dataclass(frozen=True)
class Segments:
    """How a row of stored columns is dealt to lanes: lane s owns ``length`` consecutive columns.

    Parameters
    ----------
    columns : int
        Stored columns of the layer.
    lanes : int
        S, the segments.
    align : int
        `length` is ``ceil(columns / lanes)`` rounded up to a multiple of this. A matrix whose
        blocks run through from column 0 takes its largest block size; one whose blocks restart
        at each segment takes 1.

    Raises
    ------
    ValueError
        If a parameter is below 1.
    """

    columns: int
    lanes: int
    align: int = 1

    def __post_init__(self) -> None:
        for name in ("columns", "lanes", "align"):
            if getattr(self, name) < 1:
                raise ValueError(f"segments {name} must be at least 1, not {getattr(self, name)!r}")

    @property
    def length(self) -> int:
        """L, the columns of one segment, the last segments' padding included."""
        return -(-self.columns // (self.lanes * self.align)) * self.align

    def widths(self) -> list[int]:
        """Return the real columns in each segment; the last ones may be short or empty."""
        return [
            min(self.length, max(0, self.columns - lane * self.length))
            for lane in range(self.lanes)
        ]
