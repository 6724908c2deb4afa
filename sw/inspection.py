"""What an image holds and what the engine will take for it, from the image alone."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from darb.golden import EngineModel, Image, ImageError, read_image, read_vectors, schedule, timeline
from darb.golden.image_file import MissingVectorsError
from darb.golden.image_walk import PackedLayer, PackedSection
from darb.golden.memory_map import FORMAT_VERSION, HEADER_WORDS, indices_per_word, memory_shapes
from darb.golden.timeline import VectorSchedule, steady_interval, utilisation
from darb.sw.sparsity import LayerTotals


@dataclass(frozen=True, kw_only=True)
class SectionReport:
    """One section: rows that share a pattern.

    Parameters
    ----------
    k, keep : int
        The pattern: `keep` weights in each block of ``2**k`` columns.
    rows, groups, steps : int
        Real rows, row groups, steps a group.
    stored, slots : int
        Weights that the pattern keeps; weight slots spent on them, padding included.
    """

    k: int
    keep: int
    rows: int
    groups: int
    steps: int
    stored: int
    slots: int


@dataclass(frozen=True, kw_only=True)
class LayerReport:
    """One layer.

    Parameters
    ----------
    name : str
    rows, columns : int
        M and N, dead ones included.
    stored_rows, stored_columns : int
        Those that the image keeps.
    relu : bool
    cycles : int
        Clocks from its first step to its last.
    sections : tuple of SectionReport
    """

    name: str
    rows: int
    columns: int
    stored_rows: int
    stored_columns: int
    relu: bool
    cycles: int
    sections: tuple[SectionReport, ...]

    @property
    def weights(self) -> int:
        """Weights before pruning."""
        return self.rows * self.columns

    @property
    def stored(self) -> int:
        """Weights that the patterns keep."""
        return sum(section.stored for section in self.sections)

    @property
    def slots(self) -> int:
        """Weight slots spent, padding included."""
        return sum(section.slots for section in self.sections)


@dataclass(frozen=True, kw_only=True)
class MemoryReport:
    """One image memory: `used` of its `depth` words of `width` bits."""

    depth: int
    width: int
    used: int

    @property
    def bits(self) -> int:
        """Bits of the whole memory."""
        return self.depth * self.width


@dataclass(frozen=True, kw_only=True)
class ImageReport(LayerTotals):
    """What `inspect_image` finds.

    Parameters
    ----------
    digest : str
    version : int
        Of the format.
    config : dict
        The engine's, as JSON values.
    layers : tuple of LayerReport
    memories : dict of str to MemoryReport
    vectors : int
        Stored test vectors; each was evaluated again and gave what is stored.
    mean_index_bits : float
        Bits that name a stored weight's column inside its block, on average.
    cycles : int
        Clocks from a vector's first step to its last.
    latency : int
        Clocks from a lone vector's first input beat to its last output beat, both counted.
    interval : float
        Mean clocks between vectors that follow one another without a pause.
    utilisation_single, utilisation_steady : float
        Useful multiply-accumulates over multipliers times `cycles`, and times `interval`.
    """

    digest: str
    version: int
    config: dict[str, int | str]
    layers: tuple[LayerReport, ...]
    memories: dict[str, MemoryReport]
    vectors: int
    mean_index_bits: float
    cycles: int
    latency: int
    interval: float
    utilisation_single: float
    utilisation_steady: float

    @property
    def multipliers(self) -> int:
        """P, the multipliers of the engine."""
        return int(self.config["lanes"]) * int(self.config["rows"])

    @property
    def image_bits(self) -> int:
        """Bits of all four memories."""
        return sum(memory.bits for memory in self.memories.values())

    @property
    def bits_per_stored_weight(self) -> float:
        """Bits of the weight and index memories a stored weight, padding slots included."""
        return (self.memories["weights"].bits + self.memories["indices"].bits) / self.stored

    def to_dict(self) -> dict:
        """Return everything as JSON values."""
        names = ("multipliers", "weights", "stored", "slots", "pruning_ratio", "effective_ratio")
        names += ("image_bits", "bits_per_stored_weight")
        fields = asdict(self) | {name: getattr(self, name) for name in names}
        for entry, layer in zip(fields["layers"], self.layers, strict=True):
            entry |= {name: getattr(layer, name) for name in ("weights", "stored", "slots")}
        for name, memory in self.memories.items():
            fields["memories"][name]["bits"] = memory.bits
        return fields


def _section(layer: PackedLayer, section: PackedSection) -> SectionReport:
    rows = int(section.stored.sum())
    return SectionReport(
        k=section.pattern.k,
        keep=section.pattern.keep,
        rows=rows,
        groups=section.groups,
        steps=section.steps,
        stored=rows * sum(section.pattern.stored(width) for width in layer.segments.widths()),
        slots=int(section.slots.weights.size),
    )


def _layer(layer: PackedLayer, cycles: int) -> LayerReport:
    return LayerReport(
        name=layer.info.name,
        rows=layer.info.rows,
        columns=layer.info.columns,
        stored_rows=sum(int(section.stored.sum()) for section in layer.sections),
        stored_columns=int(layer.info.order.size),
        relu=layer.info.relu,
        cycles=cycles,
        sections=tuple(_section(layer, section) for section in layer.sections),
    )


def _used_words(image: Image, layers: tuple[PackedLayer, ...]) -> dict[str, int]:
    config = image.config
    sections = [section for layer in layers for section in layer.sections]
    indices = 0
    for section in sections:
        per_word = indices_per_word(config.index_word_bits, section.pattern.k)
        indices += -(-section.groups * section.steps // per_word) if per_word else 0
    return {
        "weights": sum(section.groups * section.steps for section in sections),
        "indices": indices,
        "rows": sum(section.groups for section in sections) * config.rows,
        "layers": HEADER_WORDS + len(sections),
    }


def report_image(image: Image, *, vectors: int = 0) -> ImageReport:
    """Return the report of an image in memory; `vectors` is only passed on."""
    layers = EngineModel(image).layers
    plan: VectorSchedule = schedule(image, layers)
    interval = steady_interval(plan, image)
    lone = timeline(plan, image, 1)
    used = _used_words(image, layers)
    reports = tuple(
        _layer(layer, end - start + 1)
        for layer, start, end in zip(layers, plan.starts, plan.ends, strict=True)
    )
    sections = [section for layer in reports for section in layer.sections]
    stored = sum(section.stored for section in sections)
    return ImageReport(
        digest=image.digest,
        version=FORMAT_VERSION,
        config=image.config.to_dict(),
        layers=reports,
        memories={
            name: MemoryReport(depth=depth, width=width, used=used[name])
            for name, (depth, width) in memory_shapes(image.config).items()
        },
        vectors=vectors,
        mean_index_bits=sum(section.k * section.stored for section in sections) / stored,
        cycles=plan.cycles,
        latency=int(lone.outputs[0, -1] - lone.inputs[0, 0]) + 1,
        interval=interval,
        utilisation_single=utilisation(image, layers, plan.cycles),
        utilisation_steady=utilisation(image, layers, interval),
    )


def _check_vectors(image: Image, directory: Path) -> int:
    """Evaluate the stored vectors again; return how many there are."""
    try:
        stored = read_vectors(directory)
    except MissingVectorsError:
        return 0
    model = EngineModel(image)
    for name in ("outputs", "cycles"):
        if name not in stored:
            raise ImageError(f"vectors.npz: must hold {name}, but has {sorted(stored)}")
    count = len(stored["inputs"])
    cycles = np.full(count, schedule(image, model.layers).cycles)
    for name, golden in (("outputs", model.run(stored["inputs"])), ("cycles", cycles)):
        if golden.shape != stored[name].shape:
            raise ImageError(
                f"vectors.npz: {name} must have shape {golden.shape!r}, not {stored[name].shape!r}"
            )
        wrong = (golden != stored[name]).any(axis=tuple(range(1, golden.ndim)))
        if wrong.any():
            vector = int(np.argmax(wrong))
            raise ImageError(
                f"vectors.npz: {name} of vector {vector} must be what the image computes"
            )
    return count


def inspect_image(directory: str | Path) -> ImageReport:
    """Read an image directory, verify all of it and report what it holds.

    Raises
    ------
    ImageError
        If anything in it is missing, changed or contradicts something else.
    """
    directory = Path(directory)
    image = read_image(directory)
    return report_image(image, vectors=_check_vectors(image, directory))
