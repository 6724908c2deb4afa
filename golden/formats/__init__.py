"""Rival storage formats of an integer matrix, exact to the bit, to be tabled beside darb's own.

Each is a frozen class that is checked when it is made: ``from_dense`` packs, ``to_dense`` gives
the very matrix back, ``storage`` itemises the bits.
"""

from darb.golden.formats.csr import Csr
from darb.golden.formats.relative_csc import RelativeCsc
from darb.golden.formats.storage_bits import StorageBits

__all__ = ["Csr", "RelativeCsc", "StorageBits"]
