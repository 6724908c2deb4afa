import io
import json

import numpy as np
import pytest
from forging import replace_file
from random_networks import random_network

from darb.golden import (
    EngineModel,
    ImageError,
    fit_config,
    pack,
    read_image,
    read_vectors,
    schedule,
    steady_interval,
    write_image,
)
from darb.golden.timeline import utilisation
from darb.sw.exporting import export
from darb.sw.inspection import inspect_image, report_image


@pytest.fixture
def network():
    return random_network(
        np.random.default_rng(11), (37, 23, 9), ks=(0, 1, 2, 3), keeps=(1, 2), spare_columns=0.2
    )


def test_counts_follow_from_the_network(network):
    image = pack(network, fit_config(network, lanes=4, rows=2))
    report = report_image(image)
    assert report.weights == 37 * 23 + 23 * 9
    for number, (layer, told) in enumerate(zip(network.layers, report.layers, strict=True)):
        live = network.live_rows(number)
        assert (told.name, told.rows, told.columns) == (layer.name, *layer.shape)
        assert (told.stored_rows, told.stored_columns) == (live.size, layer.columns.size)
        patterns = sorted({layer.patterns[row] for row in live})
        assert [(section.k, section.keep) for section in told.sections] == [
            (pattern.k, pattern.keep) for pattern in patterns
        ]
        widths = layer.segments(4).widths()
        assert told.stored == sum(
            layer.patterns[row].stored(width) for row in live for width in widths
        )
        assert told.slots == sum(section.groups * section.steps * 8 for section in told.sections)
    assert report.pruning_ratio == report.weights / report.stored
    assert report.effective_ratio == report.weights / report.slots < report.pruning_ratio


def test_cycles_and_utilisation_are_the_timelines(network):
    image = pack(network, fit_config(network, lanes=4, rows=2))
    plan, layers = schedule(image), EngineModel(image).layers
    report = report_image(image)
    assert report.cycles == plan.cycles
    assert report.interval == steady_interval(plan, image)
    assert report.utilisation_steady == utilisation(image, layers, report.interval)
    assert report.utilisation_single == utilisation(image, layers, report.cycles)
    assert report.latency > report.cycles + plan.input_beats
    assert sum(layer.cycles for layer in report.layers) < report.cycles


def test_the_smallest_config_leaves_no_word_unused(network):
    report = report_image(pack(network, fit_config(network, lanes=4, rows=2)))
    assert all(memory.used == memory.depth for memory in report.memories.values())
    roomy = fit_config(network, lanes=4, rows=2, weight_depth=5000, index_depth=4000)
    spacious = report_image(pack(network, roomy))
    assert spacious.memories["weights"].used == report.memories["weights"].used
    assert spacious.memories["indices"].used == report.memories["indices"].used
    assert spacious.image_bits == sum(memory.bits for memory in spacious.memories.values())


def test_the_stored_vectors_are_evaluated_again(network, tmp_path):
    directory = export(network, tmp_path / "image", lanes=4, rows=2)
    assert inspect_image(directory).vectors == 16
    image, stored = read_image(directory), read_vectors(directory)
    wrong = stored["outputs"].copy()
    wrong[3, 1] += 1
    write_image(image, directory, vectors={**stored, "outputs": wrong})
    with pytest.raises(ImageError, match=r"^vectors\.npz: outputs of vector 3 must be what the"):
        inspect_image(directory)
    write_image(image, directory, vectors={**stored, "cycles": stored["cycles"] + 1})
    with pytest.raises(ImageError, match=r"^vectors\.npz: cycles of vector 0 must be what the"):
        inspect_image(directory)
    write_image(image, directory, vectors={**stored, "outputs": stored["outputs"][:, 1:]})
    with pytest.raises(ImageError, match=r"outputs must have shape \(16, 9\), not \(16, 8\)"):
        inspect_image(directory)
    write_image(image, directory, vectors={"inputs": stored["inputs"]})
    with pytest.raises(ImageError, match=r"must hold outputs, but has \['inputs'\]"):
        inspect_image(directory)
    archive = io.BytesIO()
    np.savez(archive, outputs=stored["outputs"])
    replace_file(directory, "vectors.npz", archive.getvalue())
    with pytest.raises(ImageError, match=r"must hold inputs, but has \['outputs'\]"):
        inspect_image(directory)
    write_image(image, directory)
    assert inspect_image(directory).vectors == 0


def test_the_report_is_plain_json(network):
    report = report_image(pack(network, fit_config(network, lanes=2, rows=2)))
    fields = json.loads(json.dumps(report.to_dict()))
    assert fields["stored"] == report.stored
    assert fields["layers"][0]["slots"] == report.layers[0].slots
    assert fields["memories"]["rows"]["bits"] == report.memories["rows"].bits
