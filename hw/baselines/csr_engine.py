"""The CSR engine."""

from __future__ import annotations

from darb.golden.baselines.csr import CsrConfig
from darb.hw.baselines.block_row_engine import BlockRowEngine


class CsrEngine(BlockRowEngine):
    """One layer in CSR with absolute column indices, one entry a lane and clock.

    Streams and clocks are those of `BlockRowEngine`, with rows for block rows;
    `darb.golden.baselines.CsrModel` says which.

    Parameters
    ----------
    config : CsrConfig
    memories : dict of str to ndarray of uint8, optional
        Of `darb.golden.baselines.pack_csr`.

    Raises
    ------
    TypeError
        If `config` is no `CsrConfig`.
    """

    config_kind = CsrConfig
