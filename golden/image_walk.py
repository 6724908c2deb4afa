"""The image as the engine walks it: memories read from front to back, every word checked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from darb.golden.bitfields import unpack_array, unpack_struct
from darb.golden.fixed_point import requantisation_faults, weight_limit
from darb.golden.image import Image, ImageError, LayerInfo
from darb.golden.memory_map import (
    FORMAT_VERSION,
    HEADER,
    HEADER_WORDS,
    SECTION,
    indices_per_word,
    row_layout,
)
from darb.golden.packing import Slots
from darb.golden.pattern import Pattern, Segments, most_keep
from darb.golden.pipeline import group_period
from darb.golden.step_words import by_row, unpack_indices


@dataclass(frozen=True, eq=False)
class PackedSection:
    """One section as the engine sees it; G groups of R rows, padding rows included.

    Parameters
    ----------
    pattern : Pattern
    groups, steps, period : int
        Row groups; steps and clocks a group.
    slots : Slots
        Weights and indices, (G * R, S, T).
    rows : dict of str to ndarray of int64
        The fields of the row words (see `memory_map.row_layout`), each (G * R,).
    first_row : int
        Word of rows.mem that holds the first of them.
    """

    pattern: Pattern
    groups: int
    steps: int
    period: int
    slots: Slots
    rows: dict[str, NDArray[np.int64]]
    first_row: int

    @property
    def stored(self) -> NDArray[np.bool_]:
        """Which of the rows are real."""
        return self.rows["store"] == 1


@dataclass(frozen=True, eq=False)
class PackedLayer:
    """One layer as the engine sees it."""

    info: LayerInfo
    segments: Segments
    sections: tuple[PackedSection, ...]

    def stored_weights(self) -> int:
        """Return the weights that the patterns keep, padding slots not counted."""
        widths = self.segments.widths()
        return sum(
            int(section.stored.sum()) * sum(section.pattern.stored(width) for width in widths)
            for section in self.sections
        )

    def slots(self) -> int:
        """Return the weight slots spent, padding included."""
        return sum(section.slots.weights.size for section in self.sections)


def _require(condition: bool, memory: str, word: int, rule: str, value: object) -> None:
    if not condition:
        raise ImageError(f"{memory}.mem: word {word}: {rule}, not {value!r}")


def _read_descriptors(image: Image) -> list[dict[str, int]]:
    words = image.memories["layers"]
    header = {
        name: int(field[0]) for name, field in unpack_struct(HEADER, words[1:HEADER_WORDS]).items()
    }
    _require(
        header["version"] == FORMAT_VERSION,
        "layers",
        1,
        f"format version must be {FORMAT_VERSION}",
        header["version"],
    )
    most = len(words) - HEADER_WORDS
    count = header["sections"]
    _require(1 <= count <= most, "layers", 1, f"sections must be in 1..{most}", count)
    lanes = image.config.lanes
    beats = image.layers[0].segments(lanes).length
    _require(
        header["input_beats"] == beats,
        "layers",
        1,
        f"input_beats must be {beats}",
        header["input_beats"],
    )
    outputs = image.layers[-1].rows
    _require(
        header["outputs"] == outputs, "layers", 1, f"outputs must be {outputs}", header["outputs"]
    )
    table = unpack_struct(SECTION, words[HEADER_WORDS : HEADER_WORDS + count])
    return [{name: int(column[i]) for name, column in table.items()} for i in range(count)]


class _Walker:
    """Reads the memories from front to back, as the engine does."""

    def __init__(self, image: Image) -> None:
        self.image = image
        self.next = {"weights": 0, "indices": 0, "rows": 0}

    def take(self, memory: str, count: int) -> NDArray[np.uint8]:
        """Return the next `count` words of `memory`."""
        words, start = self.image.memories[memory], self.next[memory]
        if start + count > len(words):
            raise ImageError(
                f"{memory}.mem: the descriptors need {start + count} words, not {len(words)}"
            )
        self.next[memory] = start + count
        return words[start : start + count]

    def section(self, word: int, fields: dict[str, int], segments: Segments) -> PackedSection:
        """Return the section whose descriptor is layer word `word`."""
        config = self.image.config
        k, keep = fields["k"], fields["keep"] + 1
        _require(k <= config.max_k, "layers", word, f"k must be at most {config.max_k}", k)
        _require(keep <= most_keep(k), "layers", word, f"keep must be at most {most_keep(k)}", keep)
        pattern = Pattern(k, keep)
        groups, steps = fields["groups"] + 1, pattern.slots(segments.length)
        period = group_period(steps, groups, config.rows)
        per_word = indices_per_word(config.index_word_bits, k)
        expected = {"period": period - 1, "lead": period - steps, "per_word": max(per_word, 1) - 1}
        for name, value in expected.items():
            _require(fields[name] == value, "layers", word, f"{name} must be {value}", fields[name])
        total = groups * steps
        weights = unpack_array(
            self.take("weights", total), config.weight_bits, config.multipliers, signed=True
        )
        depth = -(-total // per_word) if per_word else 0
        limit = weight_limit(config.weight_bits)
        if weights.min() < -limit:
            word, field = map(int, np.argwhere(weights < -limit)[0])
            word += self.next["weights"] - total
            rule = f"weight {field} must be in {-limit}..{limit}"
            _require(False, "weights", word, rule, -limit - 1)
        indices = unpack_indices(self.take("indices", depth), total, k, config)
        first_row = self.next["rows"]
        rows = unpack_struct(
            row_layout(config), self.take("rows", groups * config.rows), signed=("bias",)
        )
        self._check_rows(first_row, rows)
        shape = (config.rows, config.lanes, steps)
        slots = Slots(
            by_row(weights.astype(np.int8), *shape), by_row(indices.astype(np.int16), *shape)
        )
        return PackedSection(pattern, groups, steps, period, slots, rows, first_row)

    def _check_rows(self, first: int, rows: dict[str, NDArray[np.int64]]) -> None:
        real = np.flatnonzero(rows["store"] == 1)
        for row, fault in requantisation_faults(rows["multiplier"][real], rows["shift"][real]):
            raise ImageError(f"rows.mem: word {first + int(real[row])}: {fault}")


def read_layers(image: Image) -> tuple[PackedLayer, ...]:
    """Return the layers as the engine walks them.

    Raises
    ------
    ImageError
        If a descriptor contradicts the config, the layers or the memories' depths, or a row word
        is out of its range; names the memory, the word and the rule.
    """
    descriptors = _read_descriptors(image)
    walker = _Walker(image)
    layers: list[PackedLayer] = []
    word = HEADER_WORDS
    for number, info in enumerate(image.layers):
        segments = info.segments(image.config.lanes)
        sections: list[PackedSection] = []
        last = False
        while not last:
            _require(
                word - HEADER_WORDS < len(descriptors),
                "layers",
                word,
                f"layer {info.name} must end with a section",
                "no more words",
            )
            fields = descriptors[word - HEADER_WORDS]
            expected = {
                "first_of_layer": not sections,
                "reads_input": number == 0,
                "writes_output": number == len(image.layers) - 1,
                "relu": info.relu,
            }
            for name, value in expected.items():
                _require(
                    fields[name] == value, "layers", word, f"{name} must be {value}", fields[name]
                )
            sections.append(walker.section(word, fields, segments))
            last = bool(fields["last_of_layer"])
            word += 1
        layers.append(PackedLayer(info, segments, tuple(sections)))
    _require(
        word - HEADER_WORDS == len(descriptors),
        "layers",
        word,
        "the last layer must be the last section",
        "one more",
    )
    return tuple(layers)
