"""image.json: its one spelling, and every field checked before anything is built from it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable

import numpy as np

from darb.golden.config import EngineConfig
from darb.golden.image import Image, ImageError, LayerInfo, shorten
from darb.golden.memory_map import FORMAT_VERSION, memory_shapes
from darb.golden.network import MOST_ALIGN, NAME_RULE, SCALE_RULE, is_name, is_scale
from darb.golden.vector_file import VECTORS
from darb.golden.vendor_formats import FORMATS

MANIFEST = "image.json"
_FORMAT = "darb image"
_MOST_WEIGHTS = 1 << 27
_MOST_ROWS = 1 << 20
_MOST_COLUMNS = 1 << 22
"""Weights and rows of all layers together and columns of one, dead ones included: what no memory
holds must not cost a reader gigabytes because a few forged digits claim it."""
_MOST_MEMORY_BYTES = 1 << 28
"""Of all four memories together."""
_MOST_MARKS = {"[": 1 << 20, "{": 1 << 20, '"': 1 << 20, ",": 1 << 23}
"""Each begins a list, an object, a string or one more value, and costs far more than its byte."""
_MOST_APART = 1 << 18
_DEEPEST = 4
"""Objects and lists inside one another: the manifest, layers, a layer, its order."""

_NUMBERS = re.compile(r'\[\n[^\[\]{}"]*\n *\]')
_SMALL_OBJECT = re.compile(r"\{\n[^\[\]{}]{,120}\n *\}")


def spell(manifest: dict) -> bytes:
    """Return the one spelling of a manifest, its own checksum included.

    A list of numbers and a small object take one line each; a line break never stands inside a
    JSON string, so no string is touched.
    """
    body = {name: value for name, value in manifest.items() if name != "sha256"}
    body["sha256"] = hashlib.sha256(json.dumps(body).encode()).hexdigest()
    # Indented number by number, a long list would take a hundred times its room.
    lists: list[str] = []
    text = json.dumps(_without_numbers(body, lists), indent=1)
    each = iter(lists)
    text = _NUMBERS.sub(lambda match: next(each), text)
    text = _SMALL_OBJECT.sub(lambda match: _one_line(match[0]), text)
    return f"{text}\n".encode()


def _is_numbers(value: object) -> bool:
    """Return whether `value` is a list without strings, lists or objects in it, and not empty."""
    return (
        isinstance(value, list)
        and bool(value)
        and not any(isinstance(item, str | list | dict) for item in value)
    )


def _without_numbers(value: object, lists: list[str]) -> object:
    """Return `value` with one number in each list of numbers, whose text goes to `lists`."""
    if _is_numbers(value):
        lists.append(json.dumps(value))
        return [0]
    if isinstance(value, list):
        return [_without_numbers(item, lists) for item in value]
    if isinstance(value, dict):
        return {name: _without_numbers(item, lists) for name, item in value.items()}
    return value


def _one_line(text: str) -> str:
    first, *middle, last = (line.strip() for line in text.split("\n"))
    return f"{first}{' '.join(middle)}{last}"


def describe(image: Image, files: dict[str, bytes]) -> dict:
    """Return the manifest of `image`, whose directory holds `files`.

    Raises
    ------
    ImageError
        If a field is out of the range that a reader accepts.
    """
    manifest = {
        "format": _FORMAT,
        "version": FORMAT_VERSION,
        "digest": image.digest,
        "config": image.config.to_dict(),
        "input_scale": image.input_scale,
        "output_scales": list(image.output_scales),
        "layers": [
            {
                "name": layer.name,
                "rows": layer.rows,
                "columns": layer.columns,
                "align": layer.align,
                "relu": layer.relu,
                "order": layer.order.tolist(),
            }
            for layer in image.layers
        ],
        "memories": _memories(image.config),
        "files": {
            name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            for name, content in sorted(files.items())
        },
    }
    _check(manifest)
    return manifest


def parse(raw: bytes) -> dict:
    """Return the manifest that `raw` spells.

    Raises
    ------
    ImageError
        If it is no manifest of this version, was changed, or holds a field out of its range.
    """
    for mark, most in _MOST_MARKS.items():
        if (count := raw.count(mark.encode())) > most:
            raise ImageError(f"{MANIFEST}: must hold {mark} at most {most} times, not {count}")
    try:
        manifest = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise ImageError(f"{MANIFEST}: must be JSON ({error})") from None
    if not isinstance(manifest, dict) or manifest.get("format") != _FORMAT:
        raise ImageError(f'{MANIFEST}: format must be "{_FORMAT}"')
    if manifest.get("version") != FORMAT_VERSION:
        raise ImageError(
            f"{MANIFEST}: version must be {FORMAT_VERSION}, not {_cut(manifest.get('version'))}; "
            "export the network again with this version of darb"
        )
    # Each level of nesting indents every line below it, so a short text can have a long spelling.
    if _is_deeper(manifest, _DEEPEST):
        raise ImageError(f"{MANIFEST}: must nest at most {_DEEPEST} objects and lists")
    if _count_apart(manifest) > _MOST_APART:
        raise ImageError(f"{MANIFEST}: must hold at most {_MOST_APART} values beside its numbers")
    if spell(manifest) != raw:
        raise ImageError(f"{MANIFEST}: checksum does not match, the file was changed or damaged")
    _check({name: value for name, value in manifest.items() if name != "sha256"})
    return manifest


def layer_infos(manifest: dict) -> tuple[LayerInfo, ...]:
    """Return the layers of a manifest that `parse` gave."""
    return tuple(
        LayerInfo(**{**entry, "order": np.array(entry["order"], dtype=np.int32)})
        for entry in manifest["layers"]
    )


def _memories(config: EngineConfig) -> dict[str, dict[str, int]]:
    return {
        name: {"depth": depth, "width": width}
        for name, (depth, width) in memory_shapes(config).items()
    }


def _is_deeper(value: object, most: int) -> bool:
    level = [value]
    for _ in range(most):
        level = [
            child
            for item in level
            if isinstance(item, dict | list)
            for child in (item.values() if isinstance(item, dict) else item)
        ]
    return any(isinstance(item, dict | list) for item in level)


def _count_apart(value: object) -> int:
    """Return how many values stand anywhere but in a list of numbers."""
    if not isinstance(value, dict | list) or _is_numbers(value):
        return 1
    children = value.values() if isinstance(value, dict) else value
    return 1 + sum(map(_count_apart, children))


def _cut(value: object) -> str:
    return shorten(repr(value), 80)


def _require(good: bool, what: str, rule: str, value: object) -> None:
    if not good:
        raise ImageError(f"{MANIFEST}: {what} must be {rule}, not {_cut(value)}")


def _count(most: int) -> tuple[Callable[[object], bool], str]:
    return lambda value: type(value) is int and 1 <= value <= most, f"an integer in 1..{most}"


_Rules = dict[str, tuple[Callable[[object], bool], str]]

_TOP: _Rules = {
    "format": (lambda value: value == _FORMAT, f'"{_FORMAT}"'),
    "version": (lambda value: type(value) is int, "an integer"),
    "digest": (lambda value: isinstance(value, str), "a string"),
    "config": (lambda value: isinstance(value, dict), "an object"),
    "input_scale": (is_scale, SCALE_RULE),
    "output_scales": (
        lambda value: isinstance(value, list) and all(map(is_scale, value)),
        f"a list, each {SCALE_RULE}",
    ),
    "layers": (lambda value: isinstance(value, list) and value, "a list of at least one layer"),
    "memories": (lambda value: isinstance(value, dict), "an object"),
    "files": (lambda value: isinstance(value, dict), "an object"),
}

_LAYER: _Rules = {
    "name": (lambda value: isinstance(value, str) and is_name(value), f"a string, {NAME_RULE}"),
    "rows": _count(_MOST_ROWS),
    "columns": _count(_MOST_COLUMNS),
    "align": _count(MOST_ALIGN),
    "relu": (lambda value: isinstance(value, bool), "true or false"),
    "order": (lambda value: isinstance(value, list) and value, "a list of at least one column"),
}

_FILE: _Rules = {
    "bytes": (lambda value: type(value) is int and value >= 0, "an integer of at least 0"),
    "sha256": (lambda value: isinstance(value, str), "a string"),
}


def _check_fields(entry: object, where: str, rules: _Rules) -> None:
    _require(isinstance(entry, dict), where or "the file", "an object", entry)
    _require(entry.keys() == rules.keys(), f"{where} fields".strip(), str([*rules]), [*entry])
    for name, (good, rule) in rules.items():
        _require(bool(good(entry[name])), f"{where} {name}".strip(), rule, entry[name])


def _check_layer(layer: dict, where: str) -> None:
    _check_fields(layer, where, _LAYER)
    most = layer["columns"] - 1
    for column in layer["order"]:
        good = type(column) is int and 0 <= column <= most
        _require(good, f"{where} order", f"columns in 0..{most}", column)
    _require(
        len(set(layer["order"])) == len(layer["order"]),
        f"{where} order",
        "a list without repeats",
        layer["order"],
    )


def _check(manifest: dict) -> None:
    """Refuse a manifest that could not be `describe`'s, but for what only the memories tell."""
    _check_fields(manifest, "", _TOP)
    for number, layer in enumerate(manifest["layers"]):
        _check_layer(layer, f"layer {number}")
    sums = {
        "rows": (sum(layer["rows"] for layer in manifest["layers"]), _MOST_ROWS),
        "rows * columns": (
            sum(layer["rows"] * layer["columns"] for layer in manifest["layers"]),
            _MOST_WEIGHTS,
        ),
    }
    for name, (total, most) in sums.items():
        _require(total <= most, f"the sum of {name} over all layers", f"at most {most}", total)
    for number, (before, after) in enumerate(
        zip(manifest["layers"], manifest["layers"][1:], strict=False), start=1
    ):
        rule = f"the {before['rows']} rows of layer {number - 1}"
        good = after["columns"] == before["rows"]
        _require(good, f"layer {number} columns", rule, after["columns"])
    rows, scales = manifest["layers"][-1]["rows"], len(manifest["output_scales"])
    _require(scales in (0, rows), "output_scales", f"none or {rows}, one a row", scales)
    try:
        config = EngineConfig.from_dict(manifest["config"])
    except (TypeError, ValueError) as error:
        raise ImageError(f"{MANIFEST}: {shorten(str(error))}") from None
    for name, shape in _memories(config).items():
        rule = f"{shape['depth']} words of {shape['width']} bits"
        good = manifest["memories"].get(name) == shape
        _require(good, f"memory {name}", rule, manifest["memories"].get(name))
    _require(
        manifest["memories"].keys() == _memories(config).keys(),
        "memories",
        str([*_memories(config)]),
        [*manifest["memories"]],
    )
    size = sum(depth * -(-width // 8) for depth, width in memory_shapes(config).values())
    good = size <= _MOST_MEMORY_BYTES
    _require(good, "the sum of all memories", f"at most {_MOST_MEMORY_BYTES} bytes", size)
    known = {f"{name}.{kind}" for name in _memories(config) for kind in ("mem", *FORMATS)}
    for name, entry in manifest["files"].items():
        _require(name in known | {VECTORS}, "files", "named as an image names them", name)
        _check_fields(entry, name, _FILE)
    for name in _memories(config):
        _require(f"{name}.mem" in manifest["files"], "files", f"with {name}.mem", "without it")
