"""The engine, bit for bit: what it sends for every input vector, from the image's words alone."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from darb.golden.config import OutputMode
from darb.golden.fixed_point import check_vectors, requantize
from darb.golden.image import Image, ImageError
from darb.golden.image_walk import read_layers
from darb.golden.layer_product import LayerProduct

_BATCH = 512


@dataclass(frozen=True, eq=False)
class _DecodedLayer:
    """The real rows of a layer, section after section, as a batch needs them.

    Parameters
    ----------
    product : LayerProduct
    fields : dict of str to ndarray of int64
        Of the row words.
    place : ndarray of int64
        Where in the next activation buffer, or of the outputs, each row's result goes.
    """

    product: LayerProduct
    fields: dict[str, NDArray[np.int64]]
    place: NDArray[np.int64]


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
        ImageError
            If an index of the image points past the activation buffer.
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

    @cached_property
    def _decoded(self) -> list[_DecodedLayer]:
        """The layers, decoded when first they are run: a walk alone is often all that is asked."""
        return [self._decode(number) for number in range(len(self.layers))]

    def _decode(self, number: int) -> _DecodedLayer:
        layer = self.layers[number]
        sections, rows = [], []
        for section in layer.sections:
            real = section.stored
            positions = section.slots.positions(section.pattern, layer.segments)
            slots = section.slots.weights[real], positions[real]
            sections.append(tuple(part.reshape(real.sum(), -1) for part in slots))
            rows.append({name: field[real] for name, field in section.rows.items()})
        try:
            product = LayerProduct(
                sections,
                columns=self._bank_size(number),
                activation_bits=self.image.config.activation_bits,
            )
        except ValueError as error:
            raise ImageError(f"indices.mem: layer {layer.info.name}: {error}") from None
        fields = {name: np.concatenate([part[name] for part in rows]) for name in rows[0]}
        place = fields["address"]
        if number < len(self.layers) - 1:
            place = fields["bank"] * self.layers[number + 1].segments.length + place
        return _DecodedLayer(product, fields, place)

    def _run_batch(self, vectors: NDArray[np.int64]) -> NDArray[np.int64]:
        config = self.image.config
        bank = np.zeros((self._bank_size(0), len(vectors)), dtype=np.float32)
        order = self.layers[0].info.order
        # Turned first: a column of the vectors then lies together when it is moved.
        bank[: order.size] = np.ascontiguousarray(vectors.astype(np.float32).T)[order]
        final = len(self.layers) - 1
        for number in range(final):
            size = self._bank_size(number + 1)
            bank = self._layer(number, bank, size, raw=False).astype(np.float32)
        raw = config.output_mode is not OutputMode.ACTIVATIONS
        outputs = self._layer(final, bank, self.layers[-1].info.rows, raw=raw).T
        if config.output_mode is OutputMode.ARGMAX:
            return outputs.argmax(axis=1)[:, None].astype(np.int64)
        return outputs

    def _bank_size(self, number: int) -> int:
        return self.image.config.lanes * self.layers[number].segments.length

    def _layer(
        self, number: int, bank: NDArray[np.float32], size: int, *, raw: bool
    ) -> NDArray[np.int64]:
        """Return what goes into the next activation buffer, (size, B)."""
        layer = self._decoded[number]
        sums = layer.product @ bank
        sums += layer.fields["bias"][:, None]
        if not raw:
            sums = requantize(
                sums.T,
                layer.fields["multiplier"],
                layer.fields["shift"],
                bits=self.image.config.activation_bits,
                relu=self.layers[number].info.relu,
            ).T
        result = np.zeros((size, bank.shape[1]), dtype=np.int64)
        result[layer.place] = sums
        return result
