import re
import zipfile

import pytest
import torch
from torch import nn
from torch.nn import functional

from darb.sw.exported_program import UnsupportedOperatorError, load_exported


def save(model, path, *, shape=(2, 12), dynamic=False):
    dims = ({0: torch.export.Dim.DYNAMIC},) if dynamic else None
    program = torch.export.export(model, (torch.zeros(shape),), dynamic_shapes=dims)
    torch.export.save(program, path)
    return path


class Handwritten(nn.Module):
    """Spells the same chain with functions, as people do."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.Module()
        self.encoder.first = nn.Linear(12, 8)
        self.second = nn.Linear(8, 4, bias=False)
        self.drop = nn.Dropout(0.5)

    def forward(self, x):
        x = x.view(x.shape[0], -1)
        x = functional.relu(self.encoder.first(x)).clone()
        return self.second(self.drop(x).contiguous())


@pytest.mark.parametrize("dynamic", [False, True])
def test_it_computes_what_the_saved_network_computes(tmp_path, dynamic):
    torch.manual_seed(0)
    model = Handwritten().eval()
    path = save(model, tmp_path / "m.pt2", shape=(2, 3, 4), dynamic=dynamic)
    loaded = load_exported(path)
    x = torch.randn(5, 3, 4)
    assert torch.equal(loaded(x), model(x))
    assert [name for name, _ in loaded.named_children()] == [
        "flatten",
        "encoder_first",
        "encoder_first_relu",
        "second",
    ]
    assert loaded.second.bias is None


def test_a_sequential_of_every_allowed_module(tmp_path):
    torch.manual_seed(1)
    model = nn.Sequential(
        nn.Flatten(),
        nn.Linear(12, 8),
        nn.Identity(),
        nn.ReLU(inplace=True),
        nn.Dropout(0.2),
        nn.Linear(8, 6),
        nn.Linear(6, 4),
        nn.ReLU(),
    ).eval()
    loaded = load_exported(save(model, tmp_path / "m.pt2", shape=(3, 2, 6)))
    x = torch.randn(4, 2, 6)
    assert torch.equal(loaded(x), model(x))
    assert [type(module) for module in loaded] == [
        *(nn.Flatten, nn.Linear, nn.ReLU),
        *(nn.Linear, nn.Linear, nn.ReLU),
    ]


def test_dropout_without_effect_may_be_in_training_mode(tmp_path):
    model = nn.Sequential(nn.Linear(12, 4), nn.Dropout(0.0)).train()
    assert len(load_exported(save(model, tmp_path / "m.pt2"))) == 2


def test_double_precision_becomes_single(tmp_path):
    model = nn.Sequential(nn.Linear(12, 4)).double()
    program = torch.export.export(model, (torch.zeros(2, 12, dtype=torch.float64),))
    torch.export.save(program, tmp_path / "m.pt2")
    loaded = load_exported(tmp_path / "m.pt2")
    assert torch.equal(loaded[1].weight, model[0].weight.float())


def test_the_name_of_the_file_is_free(tmp_path):
    saved = save(nn.Linear(12, 4), tmp_path / "m.pt2")
    assert len(load_exported(saved.rename(tmp_path / "network.pt"))) == 2


def test_shared_layers_become_two(tmp_path):
    shared = nn.Linear(12, 12)
    model = nn.Sequential(shared, nn.ReLU(), shared)
    loaded = load_exported(save(model, tmp_path / "m.pt2"))
    x = torch.randn(4, 12)
    assert torch.equal(loaded(x), model(x))
    assert [type(module) for module in loaded] == [nn.Flatten, nn.Linear, nn.ReLU, nn.Linear]


class Branch(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(12, 12), nn.Linear(12, 12)

    def forward(self, x):
        return self.b(x) + self.a(x)


class SkipsOne(Branch):
    def forward(self, x):
        self.a(x)
        return self.b(x)


class TwoOutputs(Branch):
    def forward(self, x):
        x = self.a(x)
        return x, self.b(x)


class TwoInputs(Branch):
    def forward(self, x, y):
        return self.a(x)


class MovesTheBatch(Branch):
    def forward(self, x):
        return self.a(x.view(-1, 12))


class ComputedWeight(Branch):
    def forward(self, x):
        return functional.linear(x, x)


def refuse(path, message):
    with pytest.raises(UnsupportedOperatorError, match=re.escape(message)) as caught:
        load_exported(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


ALLOWED = "must be Linear, ReLU, Flatten or Dropout in evaluation mode"


@pytest.mark.parametrize(
    ("model", "shape", "message"),
    [
        (
            nn.Sequential(nn.Linear(12, 4), nn.GELU()),
            (2, 12),
            f"layer 1 (GELU), operator aten.gelu.default: {ALLOWED}",
        ),
        (
            nn.Sequential(nn.Conv1d(3, 2, 2), nn.Flatten(), nn.Linear(6, 4)),
            (2, 3, 4),
            f"layer 0 (Conv1d), operator aten.conv1d.default: {ALLOWED}",
        ),
        (
            nn.Sequential(nn.Linear(12, 4), nn.Softmax(dim=1)),
            (2, 12),
            f"layer 1 (Softmax), operator aten.softmax.int: {ALLOWED}",
        ),
        (
            nn.Sequential(nn.Linear(12, 4), nn.Dropout(0.5)).train(),
            (2, 12),
            "operator aten.dropout.default: Dropout must be in evaluation mode: call model.eval()",
        ),
        (
            nn.Sequential(nn.ReLU(), nn.Linear(12, 4)),
            (2, 12),
            "layer 0 (ReLU), operator aten.relu.default: must follow a Linear layer",
        ),
        (
            nn.Sequential(nn.Linear(4, 4)),
            (2, 3, 4),
            "operator aten.linear.default: its input must have shape (B, N), not (2, 3, 4)",
        ),
        (
            nn.Sequential(nn.Flatten(0), nn.Linear(12, 4)),
            (1, 3, 4),
            "layer 0 (Flatten), operator aten.flatten.using_ints: must keep the batch as it is",
        ),
        (
            MovesTheBatch(),
            (2, 3, 12),
            "operator aten.view.default: must keep the batch as it is",
        ),
        (Branch(), (2, 12), "operator aten.linear.default: must take what the operator before"),
        (SkipsOne(), (2, 12), "operator aten.linear.default: must take what the operator before"),
        (TwoOutputs(), (2, 12), "the network must give one output, its last operator's"),
        (nn.Flatten(), (2, 12), "the network must have at least one Linear layer"),
        (nn.Linear(12, 4), (12,), "the network must take a batch of vectors, shape (B, ...)"),
        (ComputedWeight(), (12, 12), "its weights must be parameters, not computed"),
    ],
)
def test_anything_else_is_refused_by_layer_and_operator(tmp_path, model, shape, message):
    refuse(save(model, tmp_path / "m.pt2", shape=shape), message)


def test_two_inputs_are_refused(tmp_path):
    program = torch.export.export(TwoInputs(), (torch.zeros(2, 12), torch.zeros(2, 12)))
    torch.export.save(program, tmp_path / "m.pt2")
    refuse(tmp_path / "m.pt2", "the network must take one input, not more")


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"m\.pt2 must be a file saved with torch\.export"):
        load_exported(tmp_path / "m.pt2")


@pytest.mark.parametrize("kind", ["text", "empty", "cut", "zip", "state_dict"])
def test_a_file_of_another_kind_is_refused_in_one_line(tmp_path, kind, caplog, capfd):
    path = tmp_path / "m.pt2"
    model = nn.Linear(12, 4)
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a/b", "x")
    elif kind == "state_dict":
        torch.save(model.state_dict(), path)
    else:
        whole = save(model, path).read_bytes()
        path.write_bytes({"text": b"hello", "empty": b"", "cut": whole[: len(whole) // 2]}[kind])
    with pytest.raises(ValueError, match=r"must be a whole file saved with torch.export.save") as e:
        load_exported(path)
    assert "\n" not in str(e.value)
    assert not [record for record in caplog.records if record.levelname != "DEBUG"]
    assert capfd.readouterr().err == ""


def test_a_flipped_weight_bit_is_noticed(tmp_path):
    torch.manual_seed(0)
    model = nn.Linear(64, 64)
    path = save(model, tmp_path / "m.pt2", shape=(2, 64))
    raw = bytearray(path.read_bytes())
    place = raw.find(model.weight.detach().numpy().tobytes())
    assert place > 0
    raw[place + 100] ^= 1
    path.write_bytes(raw)
    with pytest.raises(ValueError, match=r"must be a whole file"):
        load_exported(path)
