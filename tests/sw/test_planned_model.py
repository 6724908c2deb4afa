import pytest
import torch
from torch import nn

from darb.sw.exported_program import load_exported
from darb.sw.folding import evaluate_folding, pattern_network
from darb.sw.planned_model import planned_networks
from darb.sw.pruning import prune


@pytest.fixture
def model_file(tmp_path):
    torch.manual_seed(2)
    model = nn.Sequential(nn.Linear(32, 24), nn.ReLU(), nn.Linear(24, 10))
    path = tmp_path / "model.pt2"
    torch.export.save(torch.export.export(model, (torch.rand(2, 32),)), path)
    return path


def test_every_weight_is_kept_without_a_ratio(model_file):
    network = planned_networks(model_file)(4, 1)
    assert [layer.shape for layer in network.layers] == [(24, 32), (10, 24)]
    folding = evaluate_folding(network, lanes=4, rows=1)
    assert folding.stored == 24 * 32 + 10 * 24


@pytest.mark.parametrize(("lanes", "rows"), [(1, 1), (4, 2)])
def test_clocks_are_those_of_the_pruned_network(model_file, lanes, rows):
    network = planned_networks(model_file, ratio=4)(lanes, rows)
    model = load_exported(model_file)
    pruner = prune(model, ratio=4, lanes=lanes, rows=rows, saliency="magnitude")
    bare = pattern_network(pruner.masks)
    shape = {"lanes": lanes, "rows": rows}
    assert evaluate_folding(network, **shape) == evaluate_folding(bare, **shape)


def test_weights_fill_their_width(model_file):
    network = planned_networks(model_file, ratio=4, weight_bits=4, activation_bits=6)(2, 1)
    assert (network.weight_bits, network.activation_bits) == (4, 6)
    for layer in network.layers:
        largest = abs(layer.weights).max(axis=1)
        assert set(largest.tolist()) <= {0, 7}


def test_what_does_not_fit_is_refused(model_file):
    with pytest.raises(ValueError, match=r"^weight_bits must be in 2\.\.8, not 9$"):
        planned_networks(model_file, weight_bits=9)
    with pytest.raises(ValueError, match=r"^activation_bits must be in 2\.\.8, not 1$"):
        planned_networks(model_file, activation_bits=1)
    with pytest.raises(ValueError, match=r"^ratio must be"):
        planned_networks(model_file, ratio=0.5)
