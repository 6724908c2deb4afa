"""What darb's own image takes for each layer, in the items of the rival formats."""

from __future__ import annotations

from darb.golden.formats.storage_bits import StorageBits
from darb.golden.memory_map import SECTION
from darb.golden.network import IntegerNetwork
from darb.golden.packer import fit_config, pack_sections
from darb.golden.step_words import by_step, pack_indices


def packed_storage(
    network: IntegerNetwork, *, lanes: int, rows: int, **pinned: object
) -> tuple[StorageBits, ...]:
    """Return the storage of each layer in the smallest engine of ``lanes * rows`` multipliers.

    ============  =====================================================================
    item          what of the image
    ============  =====================================================================
    values        the nonzero weights in the weight memory's words
    indices       their k bits each in the index memory's words
    pointers      the section descriptors; there is none for a row
    padding       the rest of those words: slots without a weight and their indices, rows
                  that fill up the last group of a section, bits of an index field that
                  no index takes, and fields after a section's last index
    ============  =====================================================================

    A dense layer is one whose rows all have ``Pattern(0, 1)``. The row memory is not counted, as
    no format's is: bias, multiplier, shift and destination are the post-processor's, whichever
    way the weights are stored. Nor are the digest and header, which belong to the network.

    Parameters
    ----------
    network : IntegerNetwork
    lanes, rows : int
        S and R.
    **pinned
        Any other field of `EngineConfig`, as in `fit_config`.

    Raises
    ------
    TypeError
        If a field is of the wrong kind.
    ValueError
        If a field is out of its range, or the network does not fit its patterns.
    """
    config = fit_config(network, lanes=lanes, rows=rows, **pinned)
    storages = []
    for sections in pack_sections(network, lanes):
        values = indices = stored = 0
        for section in sections:
            weights = by_step(section.slots.weights, rows)
            words = pack_indices(by_step(section.slots.indices, rows), section.pattern.k, config)
            nonzero = int((weights != 0).sum())
            values += nonzero * config.weight_bits
            indices += nonzero * section.pattern.k
            stored += weights.size * config.weight_bits
            stored += len(words) * config.multipliers * config.index_word_bits
        storages.append(
            StorageBits(
                values=values,
                indices=indices,
                pointers=len(sections) * sum(SECTION.values()),
                padding=stored - values - indices,
            )
        )
    return tuple(storages)
