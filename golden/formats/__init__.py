"""Rival storage formats of an integer matrix, exact to the bit, to be tabled beside darb's own.

Each is a frozen class that is checked when it is made: ``from_dense`` packs, ``to_dense`` gives
the very matrix back, ``storage`` itemises the bits. `packed_storage` itemises darb's image alike.
"""

from darb.golden.formats.bsr import Bsr
from darb.golden.formats.csr import Csr
from darb.golden.formats.packed_storage import packed_storage
from darb.golden.formats.relative_csc import RelativeCsc
from darb.golden.formats.storage_bits import StorageBits

__all__ = ["Bsr", "Csr", "RelativeCsc", "StorageBits", "packed_storage"]
