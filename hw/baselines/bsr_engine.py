"""The BSR engine."""

from __future__ import annotations

from darb.golden.baselines.bsr import BsrConfig
from darb.hw.baselines.block_row_engine import BlockRowEngine


class BsrEngine(BlockRowEngine):
    """One layer in BSR, `blocks_a_step` blocks of one block row a lane and clock.

    Streams and clocks are those of `BlockRowEngine`; `darb.golden.baselines.BsrModel` says which.

    Parameters
    ----------
    config : BsrConfig
    memories : dict of str to ndarray of uint8, optional
        Of `darb.golden.baselines.pack_bsr`.

    Raises
    ------
    TypeError
        If `config` is no `BsrConfig`.
    """

    config_kind = BsrConfig
