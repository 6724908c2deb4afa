"""A case in a file: JSON that holds all that reproduces it."""

from __future__ import annotations

import json
import os
import re
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from darb.golden.config import EngineConfig
from darb.golden.network import IntegerLayer, IntegerNetwork
from darb.golden.pattern import Pattern
from darb.golden.register_map import Storage
from darb.hw.bench_job import Disturbance
from darb.hw.fuzzing.case import FuzzCase, FuzzRun
from darb.hw.fuzzing.comparison import Mismatch

FORMAT = "darb fuzz case 1"
_ARRAYS = ("weights", "bias", "multiplier", "shift", "columns")
_NUMBERS = re.compile(r"\[\s+(-?\d+(?:,\s+-?\d+)*)\s+\]")


@dataclass(frozen=True)
class Reproduction:
    """A case that failed, and how.

    Parameters
    ----------
    case : FuzzCase
    seed, index : int
        What it was shrunk from; see `random_case`.
    mismatches : tuple of Mismatch
        Found when it was written.
    tools : dict of str to str
        Versions.
    """

    case: FuzzCase
    seed: int
    index: int
    mismatches: tuple[Mismatch, ...]
    tools: dict[str, str]


def write_whole(path: Path, value: object) -> None:
    """Write JSON, lists of numbers on one line; the file is there whole or not at all."""
    text = json.dumps(value, indent=1)
    text = _NUMBERS.sub(lambda found: f"[{' '.join(found[1].split())}]", text) + "\n"
    handle, fresh = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w") as file:
            file.write(text)
        os.chmod(fresh, 0o644)
        os.replace(fresh, path)
    except BaseException:
        os.unlink(fresh)
        raise


def _network_values(network: IntegerNetwork) -> dict:
    return {
        "weight_bits": network.weight_bits,
        "activation_bits": network.activation_bits,
        "layers": [
            {
                "name": layer.name,
                **{name: getattr(layer, name).tolist() for name in _ARRAYS},
                "relu": layer.relu,
                "patterns": [[pattern.k, pattern.keep] for pattern in layer.patterns],
                "align": layer.align,
            }
            for layer in network.layers
        ],
    }


def _integers(name: str, values: list) -> NDArray[np.int64]:
    """Return an array of what must be integers; numpy would cut the others without a word."""
    kind = np.array(values).dtype
    if np.size(values) and kind.kind not in "iuO":
        raise TypeError(f"{name} must be integers, not {kind}")
    return np.array(values, dtype=np.int64)


def _network(values: dict) -> IntegerNetwork:
    layers = []
    for each in values["layers"]:
        arrays = {name: _integers(name, each[name]) for name in _ARRAYS}
        patterns = tuple(Pattern(*pair) for pair in each["patterns"])
        layers.append(IntegerLayer(**{**each, **arrays, "patterns": patterns}))
    return IntegerNetwork(**{**values, "layers": tuple(layers)})


def write_case(path: Path, reproduction: Reproduction) -> None:
    """Write a file that `read_case` reads.

    Parameters
    ----------
    path : Path
        In a directory that is there; replaced.
    reproduction : Reproduction
    """
    case = reproduction.case
    write_whole(
        path,
        {
            "format": FORMAT,
            "seed": reproduction.seed,
            "index": reproduction.index,
            "mismatches": [asdict(mismatch) for mismatch in reproduction.mismatches],
            "tools": reproduction.tools,
            "storage": case.storage.value,
            "memory_check": case.memory_check,
            "config": case.config.to_dict(),
            "networks": [_network_values(network) for network in case.networks],
            "runs": [
                {
                    "network": run.network,
                    "disturbance": asdict(run.disturbance),
                    "vectors": run.vectors.tolist(),
                }
                for run in case.runs
            ],
        },
    )


def read_case(path: Path) -> Reproduction:
    """Read a file of `write_case`; everything is checked as when it was first made.

    Raises
    ------
    OSError
        If it cannot be read.
    ValueError
        If it is no such file, or says what cannot be.
    """
    try:
        values = json.loads(path.read_text())
    except (RecursionError, ValueError):
        values = None
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise ValueError(f"{path} must be a file that darb fuzz wrote, of format {FORMAT!r}")
    try:
        return Reproduction(
            case=FuzzCase(
                EngineConfig.from_dict(values["config"]),
                Storage(values["storage"]),
                tuple(_network(each) for each in values["networks"]),
                tuple(
                    FuzzRun(
                        run["network"],
                        _integers("vectors", run["vectors"]),
                        Disturbance(**run["disturbance"]),
                    )
                    for run in values["runs"]
                ),
                memory_check=values["memory_check"],
            ),
            seed=values["seed"],
            index=values["index"],
            mismatches=tuple(Mismatch(**each) for each in values["mismatches"]),
            tools=dict(values["tools"]),
        )
    except KeyError as error:
        raise ValueError(f"{path}: {error.args[0]} is missing") from None
    except (AttributeError, OverflowError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from None
