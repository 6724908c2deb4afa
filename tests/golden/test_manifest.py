import json
import tracemalloc

import numpy as np
import pytest
from forging import edit_manifest, write_packed
from random_networks import random_network

from darb.golden import ImageError, read_image
from darb.golden.manifest import parse, spell


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    directory = tmp_path_factory.mktemp("image")
    network = random_network(np.random.default_rng(0), [6, 4, 3], ks=range(2), weight_bits=4)
    write_packed(network, directory, vectors={"inputs": np.arange(6)[None]})
    return directory


def refusal(raw):
    with pytest.raises(ImageError) as caught:
        parse(raw)
    return str(caught.value)


def test_every_flipped_bit_is_noticed(good):
    raw = (good / "image.json").read_bytes()
    parse(raw)
    for bit in range(8 * len(raw)):
        bad = bytearray(raw)
        bad[bit // 8] ^= 1 << bit % 8
        assert refusal(bytes(bad)).startswith("image.json: "), bit


def test_there_is_one_spelling(good):
    raw = (good / "image.json").read_bytes()
    assert spell(json.loads(raw)) == raw
    for other in (
        json.dumps(json.loads(raw)).encode(),
        raw + b"\n",
        raw.replace(b", ", b",", 1),
        raw.replace(b'"version": 1,', b'"version": 1, "version": 1,'),
        raw.replace(b'"version": 1,', b'"version": 1.0,'),
    ):
        assert refusal(other) == (
            "image.json: checksum does not match, the file was changed or damaged"
        )


def test_spelling_leaves_strings_alone():
    manifest = {
        "a": "[\n  1,\n  2\n ]",
        "b": {"c": '{\n "x": 1\n}', "d": "two  spaces"},
        "e": [1, -2.5, 1e300],
        "f": ["1", []],
        "g": {},
    }
    text = spell(manifest)
    checksum = json.loads(text)["sha256"]
    assert json.loads(text) == {**manifest, "sha256": checksum}
    assert b' "e": [1, -2.5, 1e+300],\n' in text


DEEP = b'{"format": "darb image", "version": 1, "x": %s0%s}'


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"", "must be JSON ("),
        (b"{", "must be JSON ("),
        (b"\xff\xfe", "must be JSON ("),
        (b"[" * 100_000, "must be JSON ("),
        (b'{"rows": ' + b"9" * 5000 + b"}", "must be JSON ("),
        (b"[1]", 'format must be "darb image"'),
        (b"{}", 'format must be "darb image"'),
        (b'{"format": "png"}', 'format must be "darb image"'),
        (b'{"format": "darb image"}', "version must be 1, not None; export the network again"),
        (b'{"format": "darb image", "version": 2}', "version must be 1, not 2; export"),
        (b'{"format": "darb image", "version": 1}', "checksum does not match"),
        (
            b'{"format": "darb image", "version": [' + b"9, " * 99 + b"9]}",
            "version must be 1, not [",
        ),
        (DEEP % (b"[" * 4, b"]" * 4), "must nest at most 4 objects and lists"),
        (DEEP % (b"[" * 800, b"]" * 800), ""),
        (DEEP % (b'{"x": ' * 4, b"}" * 4), "must nest at most 4 objects and lists"),
        (DEEP % (b"[" * 3, b"]" * 3), "checksum does not match"),
    ],
)
def test_what_is_no_manifest(raw, text):
    assert refusal(raw).startswith(f"image.json: {text}")


def test_a_short_text_is_never_spelled_at_length():
    """Indented by its depth, this one would take a hundred times its room."""
    numbers = b"[" * 300 + b"0" + b",0" * 100_000 + b"]" * 300
    raw = b'{"format": "darb image", "version": 1, "x": ' + numbers + b"}"
    tracemalloc.start()
    try:
        assert refusal(raw) == "image.json: must nest at most 4 objects and lists"
        assert tracemalloc.get_traced_memory()[1] < 10 * len(raw)
    finally:
        tracemalloc.stop()


def layer(number, **changes):
    return lambda manifest: manifest["layers"][number].update(changes)


def top(**changes):
    return lambda manifest: manifest.update(changes)


def config(**changes):
    return lambda manifest: manifest["config"].update(changes)


def files(**changes):
    return lambda manifest: manifest["files"].update(changes)


RECORD = {"bytes": 1, "sha256": ""}


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda m: m.pop("layers"), "fields must be ['format', 'version', "),
        (top(colour=1), "fields must be ['format', 'version', "),
        (top(digest=5), "digest must be a string, not 5"),
        (top(config=[]), "config must be an object, not []"),
        (top(input_scale="1"), "input_scale must be a finite number above 0, not '1'"),
        (top(input_scale=float("nan")), "input_scale must be a finite number above 0, not nan"),
        (top(input_scale=True), "input_scale must be a finite number above 0, not True"),
        (
            top(output_scales="12"),
            "output_scales must be a list, each a finite number above",
        ),
        (
            top(output_scales=[1, None]),
            "output_scales must be a list, each a finite number a",
        ),
        (top(input_scale=0), "input_scale must be a finite number above 0, not 0"),
        (top(input_scale=-0.5), "input_scale must be a finite number above 0, not -0.5"),
        (top(input_scale=10**400), "input_scale must be a finite number above 0, not 1000"),
        (top(output_scales=[10**400]), "output_scales must be a list, each a finite number above"),
        (top(output_scales=[1.0] * 4), "output_scales must be none or 3, one a row, not 4"),
        (top(layers=[]), "layers must be a list of at least one layer, not []"),
        (top(layers={}), "layers must be a list of at least one layer, not {}"),
        (top(layers=[7]), "layer 0 must be an object, not 7"),
        (top(memories=None), "memories must be an object, not None"),
        (top(files=[]), "files must be an object, not []"),
        (lambda m: m["layers"][0].pop("relu"), "layer 0 fields must be ['name', 'rows', "),
        (layer(0, name=3), "layer 0 name must be a string, printable and at most 200 "),
        (layer(0, name="\x1b[31m"), "layer 0 name must be a string, printable and at most 200 "),
        (layer(0, name="\ud800"), "layer 0 name must be a string, printable and at most 200 "),
        (layer(0, name="a\nb"), "layer 0 name must be a string, printable and at most 200 "),
        (layer(0, name="x" * 201), "layer 0 name must be a string, printable and at most 200 "),
        (layer(0, rows="4"), "layer 0 rows must be an integer in 1..1048576, not '4'"),
        (layer(0, rows=4.0), "layer 0 rows must be an integer in 1..1048576, not 4.0"),
        (layer(0, rows=0), "layer 0 rows must be an integer in 1..1048576, not 0"),
        (layer(0, rows=True), "layer 0 rows must be an integer in 1..1048576, not True"),
        (layer(0, columns=-1), "layer 0 columns must be an integer in 1..4194304, not -1"),
        (layer(0, align=0.5), "layer 0 align must be an integer in 1..4096, not 0.5"),
        (layer(0, align=4097), "layer 0 align must be an integer in 1..4096, not 4097"),
        (
            layer(0, rows=10**4000, columns=10**4000),
            "layer 0 rows must be an integer in 1..1048576, not 1000",
        ),
        (layer(0, relu=1), "layer 0 relu must be true or false, not 1"),
        (layer(1, order=[]), "layer 1 order must be a list of at least one column, not []"),
        (layer(1, order=[0, 1.5]), "layer 1 order must be columns in 0..3, not 1.5"),
        (layer(1, order=[0, 4]), "layer 1 order must be columns in 0..3, not 4"),
        (layer(1, order=[-1]), "layer 1 order must be columns in 0..3, not -1"),
        (layer(1, order=[[0]]), "must nest at most 4 objects and lists"),
        (layer(1, order=["0"]), "layer 1 order must be columns in 0..3, not '0'"),
        (layer(1, order=[10**400]), "layer 1 order must be columns in 0..3, not 1000"),
        (layer(1, order=[1, 1]), "layer 1 order must be a list without repeats, not [1, 1]"),
        (layer(0, rows=5), "layer 1 columns must be the 5 rows of layer 0, not 4"),
        (
            layer(0, rows=1 << 20, columns=129),
            "the sum of rows over all layers must be at most 1048576, not 1048579",
        ),
        (
            layer(0, rows=1 << 10, columns=1 << 17),
            "the sum of rows * columns over all layers must be at most 134217728, not 134217740",
        ),
        (config(lanes=3), "lanes must be a power of two, not 3"),
        (config(lanes=1 << 40), "lanes must be in 1..256, not 1099511627776"),
        (config(rows="2"), "rows must be an int, not '2'"),
        (config(output_mode=["argmax"]), "output_mode must be one of ['activations', "),
        (config(extra=1), "config field extra is unknown"),
        (lambda m: m["config"].pop("rows"), "config field rows is missing"),
        (config(weight_depth=1 << 24), "memory weights must be 16777216 words of 16 bits, not {"),
        (lambda m: m["memories"].pop("rows"), "memory rows must be 8 words of "),
        (
            lambda m: m["memories"].update({"../../etc/passwd": {"depth": 1, "width": 1}}),
            "memories must be ['weights', 'indices', 'rows', 'layers'], not ['weights', ",
        ),
        (files(**{"../weights.mem": RECORD}), "files must be named as an image names them, not"),
        (files(**{"/etc/passwd": RECORD}), "files must be named as an image names them, not '/etc"),
        (files(**{"image.json": RECORD}), "files must be named as an image names them, not 'image"),
        (files(**{"weights.coe": 5}), "weights.coe must be an object, not 5"),
        (
            files(**{"weights.coe": {"bytes": 1}}),
            "weights.coe fields must be ['bytes', 'sha256'], ",
        ),
        (
            files(**{"weights.coe": {"bytes": -1, "sha256": ""}}),
            "weights.coe bytes must be an integer of at least 0, not -1",
        ),
        (
            files(**{"weights.coe": {"bytes": 1, "sha256": None}}),
            "weights.coe sha256 must be a string, not None",
        ),
        (lambda m: m["files"].pop("rows.mem"), "files must be with rows.mem, not 'without it'"),
    ],
)
def test_refused_fields(good, tmp_path, change, text):
    raw = (good / "image.json").read_bytes()
    (tmp_path / "image.json").write_bytes(raw)
    edit_manifest(tmp_path, change)
    assert refusal((tmp_path / "image.json").read_bytes()).startswith(f"image.json: {text}")
    with pytest.raises(ImageError, match=r"^image\.json: "):
        read_image(tmp_path)


def test_long_values_are_cut_short(good, tmp_path):
    (tmp_path / "image.json").write_bytes((good / "image.json").read_bytes())
    edit_manifest(tmp_path, top(digest=["x" * 1000]))
    text = refusal((tmp_path / "image.json").read_bytes())
    assert len(text) < 130
    assert text.endswith("xxx...")
