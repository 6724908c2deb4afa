"""From a saved network and calibration data to an image: what ``darb export`` does."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import nn

from darb.golden import EngineConfig, IntegerNetwork, read_image
from darb.golden.image_file import IMAGE_FILES, MANIFEST
from darb.golden.output_directory import replaced_directory
from darb.golden.vendor_formats import FORMATS
from darb.sw.array_files import read_array
from darb.sw.exported_program import load_exported
from darb.sw.exporting import RANDOM_VECTORS, check_room, export
from darb.sw.folding import check_shape, choose_folding, pattern_network
from darb.sw.pruning import Pruner, prune
from darb.sw.quantization import quantize
from darb.sw.validation import check_choice, check_int, check_ratio

MULTIPLIERS = 32


def _inputs_of(model: nn.Sequential) -> int:
    return next(module for module in model if isinstance(module, nn.Linear)).in_features


def _read_calibration(path: Path, columns: int) -> NDArray[np.float32]:
    values = read_array(path)
    if values[0].size != columns:
        raise ValueError(
            f"{path}: calibration vectors must have {columns} values, as the network takes, "
            f"not {values[0].size}"
        )
    return values.reshape(len(values), columns).astype(np.float32)


def _check_engine(config: EngineConfig | None, **asked: int | str | None) -> None:
    if config is None:
        return
    for name, value in asked.items():
        if value is not None and value != getattr(config, name):
            raise ValueError(
                f"{name} must be {getattr(config, name)!s} as in the image of --like, not {value!r}"
            )


def export_model_file(
    model: str | Path,
    calibration: str | Path,
    directory: str | Path,
    *,
    ratio: float = 1.0,
    lanes: int | None = None,
    rows: int | None = None,
    multipliers: int | None = None,
    weight_bits: int = 8,
    activation_bits: int = 8,
    formats: tuple[str, ...] = (),
    output_mode: str | None = None,
    room: float = 1.0,
    like: str | Path | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Path:
    """Quantise a network that was saved with torch.export and write its image.

    Parameters
    ----------
    model : path
        A ``.pt2`` file.
    calibration : path
        A ``.npy`` file of real inputs, shape (B, ...).
    directory : path
        New, empty, or an earlier image, which is replaced.
    ratio : float
        Prune to this ratio by DARB, at once and without retraining; 1 keeps every weight.
    lanes, rows : int, optional
        Shape of the engine; by default the fastest within `multipliers`.
    multipliers : int, optional
        32 by default, or ``lanes * rows`` where that is more.
    weight_bits, activation_bits : int
    formats, output_mode, room, like
        As in `darb.sw.export`.
    progress : callable, optional
        Called with a stage, how much of it is done, and of how much.

    Returns
    -------
    Path
        The directory.

    Raises
    ------
    ValueError, TypeError, OSError
        If a file or an argument does not fit.
    """
    tell = progress or (lambda stage, done, total: None)
    directory = Path(directory)
    check_ratio(ratio)
    check_room(room)
    if like is None:
        check_shape(multipliers=multipliers, lanes=lanes, rows=rows)
        if multipliers is None:
            multipliers = max(MULTIPLIERS, (lanes or 1) * (rows or 1))
    elif room != 1:
        raise ValueError(f"room must be left out with like, whose engine has its own, not {room!r}")
    check_int("weight_bits", weight_bits, 2, 8)
    check_int("activation_bits", activation_bits, 2, 8)
    for name in formats:
        check_choice("formats", name, tuple(FORMATS))
    network_module = load_exported(model)
    inputs = _read_calibration(Path(calibration), _inputs_of(network_module))
    config = None if like is None else read_image(like).config
    _check_engine(config, lanes=lanes, rows=rows, multipliers=multipliers, output_mode=output_mode)

    def pruner(lanes: int, rows: int) -> Pruner:
        fresh = copy.deepcopy(network_module)
        return prune(fresh, ratio=ratio, lanes=lanes, rows=rows, calibration=inputs)

    def pruned_patterns(lanes: int, rows: int) -> IntegerNetwork:
        return pattern_network(pruner(lanes, rows).masks)

    def integer_network(lanes: int, rows: int) -> IntegerNetwork:
        source = pruner(lanes, rows).finalize() if ratio > 1 else network_module
        return quantize(source, inputs, weight_bits=weight_bits, activation_bits=activation_bits)

    # A directory that cannot be written is refused before the work, not after it.
    with replaced_directory(directory, MANIFEST, IMAGE_FILES) as fresh:
        if config is not None:
            lanes, rows = config.lanes, config.rows
        elif lanes is None or rows is None:
            fold = choose_folding(
                pruned_patterns if ratio > 1 else integer_network(1, 1),
                multipliers=multipliers,
                lanes=lanes,
                rows=rows,
                progress=lambda done, total: tell("fold", done, total),
            )
            lanes, rows = fold.lanes, fold.rows
        tell("quantise", 0, 1)
        network = integer_network(lanes, rows)
        tell("quantise", 1, 1)
        tell("pack", 0, 1)
        export(
            network,
            fresh,
            lanes=lanes,
            rows=rows,
            output_mode=output_mode,
            room=room,
            config=config,
            vectors=inputs[:RANDOM_VECTORS],
            formats=formats,
        )
        tell("pack", 1, 1)
    return directory
