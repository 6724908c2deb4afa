"""The engine, bit for bit: what it sends for every input vector, from the image's words alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from darb.golden.config import OutputMode
from darb.golden.fixed_point import check_vectors, requantize
from darb.golden.image import Image
from darb.golden.image_walk import PackedLayer, PackedSection, read_layers

_BATCH = 512


class EngineModel:
    """Evaluates an image on batches of vectors, integers only.

    It walks the same words as the engine: bank s, address a holds stored column
    ``s * L + a``; each slot multiplies the activation that its index names; every row goes to the
    destination that its row word names.

    Parameters
    ----------
    image : Image

    Raises
    ------
    ImageError
        If the image contradicts itself.
    """

    def __init__(self, image: Image) -> None:
        self.image = image
        self.layers = read_layers(image)

    def run(self, vectors: NDArray[np.integer]) -> NDArray[np.int64]:
        """Return what the output stream carries for each vector.

        Parameters
        ----------
        vectors : ndarray of int, shape (B, N)
            Columns in the network's own order, within `activation_bits`.

        Returns
        -------
        ndarray of int64, shape (B, M), or (B, 1) in mode ``argmax``

        Raises
        ------
        TypeError
            If the vectors are not integers.
        ValueError
            If a shape or a value does not fit.
        """
        vectors = check_vectors(
            vectors, self.layers[0].info.columns, self.image.config.activation_bits
        )
        batches = [
            self._run_batch(vectors[start : start + _BATCH])
            for start in range(0, len(vectors), _BATCH)
        ]
        width = (
            1 if self.image.config.output_mode is OutputMode.ARGMAX else self.layers[-1].info.rows
        )
        return np.concatenate(batches) if batches else np.zeros((0, width), dtype=np.int64)

    def _run_batch(self, vectors: NDArray[np.int64]) -> NDArray[np.int64]:
        config = self.image.config
        bank = np.zeros((self._bank_size(0), len(vectors)), dtype=np.int32)
        order = self.layers[0].info.order
        bank[: order.size] = vectors.T[order]
        for number in range(len(self.layers) - 1):
            bank = self._layer(number, bank, self._bank_size(number + 1), raw=False)
        raw = config.output_mode is not OutputMode.ACTIVATIONS
        outputs = self._layer(len(self.layers) - 1, bank, self.layers[-1].info.rows, raw=raw).T
        if config.output_mode is OutputMode.ARGMAX:
            return outputs.argmax(axis=1)[:, None].astype(np.int64)
        return outputs.astype(np.int64)

    def _bank_size(self, number: int) -> int:
        return self.image.config.lanes * self.layers[number].segments.length

    def _layer(self, number: int, bank: NDArray, size: int, *, raw: bool) -> NDArray[np.int32]:
        """Return the next activation buffer, (size, B)."""
        layer = self.layers[number]
        result = np.zeros((size, bank.shape[1]), dtype=np.int32)
        last = number == len(self.layers) - 1
        for section in layer.sections:
            real = section.stored
            rows = {name: field[real] for name, field in section.rows.items()}
            sums = self._accumulate(layer, section, bank) + rows["bias"][:, None]
            if not raw:
                sums = requantize(
                    sums.T,
                    rows["multiplier"],
                    rows["shift"],
                    bits=self.image.config.activation_bits,
                    relu=layer.info.relu,
                ).T
            place = rows["address"]
            if not last:
                place = rows["bank"] * self.layers[number + 1].segments.length + place
            result[place] = sums
        return result

    def _accumulate(
        self, layer: PackedLayer, section: PackedSection, bank: NDArray[np.int32]
    ) -> NDArray[np.int64]:
        """Return the exact sums of the section's real rows, (m, B)."""
        real = section.stored
        weights = section.slots.weights[real].reshape(real.sum(), -1).astype(np.int32)
        positions = section.slots.positions(section.pattern, layer.segments)[real]
        positions = positions.reshape(weights.shape)
        sums = np.zeros((len(weights), bank.shape[1]), dtype=np.int32)
        for slot in range(weights.shape[1]):
            sums += bank[positions[:, slot]] * weights[:, slot, None]
        return sums.astype(np.int64)
