"""Training: deterministic, keeps its best epoch, honours the pruner."""

import re

import numpy as np
import pytest
import torch

from darb.sw.datasets import Dataset, digits
from darb.sw.networks import lenet5, mlp, speech_classifier
from darb.sw.pruning import prune
from darb.sw.training import _channels_last, accuracy, calibration_of, logits, train


@pytest.fixture(scope="module")
def data():
    return digits()


def weights(model):
    return [parameter.detach().clone() for parameter in model.parameters()]


def same(first, second):
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_callers_randomness_is_left_alone(data):
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    train(mlp((64, 10), seed=1), data, 1, lr=0.01, seed=2)
    assert torch.equal(torch.rand(1), expected)


def test_training_learns_and_follows_the_seed(data):
    def run(seed):
        model = mlp((64, 32, 10), dropout=0.1)
        best = train(model, data, 6, lr=0.01, seed=seed, shift=1)
        return model, best

    (first, best), (again, _), (other, _) = run(0), run(0), run(1)
    assert best > 0.6
    assert same(weights(first), weights(again))
    assert not same(weights(first), weights(other))


def test_best_epoch_is_kept(data):
    told = []
    model = mlp((64, 32, 10))
    best = train(model, data, 8, lr=0.3, seed=0, on_epoch=told.append)
    assert [(epoch.index, epoch.epochs) for epoch in told] == [(i, 8) for i in range(1, 9)]
    assert best == max(epoch.validation for epoch in told)
    assert accuracy(model, data.validation_x, data.validation_y) == best
    assert not model.training


def test_pruned_training_keeps_its_masks_and_counts_no_epoch_of_the_ramp(data):
    model = mlp((64, 48, 10))
    train(model, data, 4, lr=0.01, seed=0)
    pruner = prune(model, ratio=8, calibration=calibration_of(data), ramp_steps=30)
    told = []
    best = train(model, data, 6, lr=0.01, seed=0, pruner=pruner, on_epoch=told.append)
    assert best == max(epoch.validation for epoch in told[3:])
    pruned = pruner.finalize()
    assert pruned.report.slots <= pruned.report.weights / 8
    layers = dict(model.named_modules())
    for name, mask in pruned.layers.items():
        assert not layers[name].weight.detach().numpy()[~mask.mask].any()
    assert accuracy(model, data.validation_x, data.validation_y) == best


def test_teacher_is_followed(data):
    teacher = mlp((64, 32, 10), seed=7)
    train(teacher, data, 6, lr=0.01, seed=0)
    random_labels = Dataset(
        **{
            **vars(data),
            "train_y": np.random.default_rng(0).integers(0, 10, size=len(data.train_y)),
        }
    )
    alone, taught = mlp((64, 32, 10)), mlp((64, 32, 10))
    train(alone, random_labels, 6, lr=0.01, seed=0)
    train(taught, random_labels, 6, lr=0.01, seed=0, teacher=teacher)
    scores = [accuracy(model, data.test_x, data.test_y) for model in (alone, taught)]
    assert scores[1] > scores[0] + 0.2
    assert (
        logits(taught, data.test_x).argmax(1) == logits(teacher, data.test_x).argmax(1)
    ).float().mean() > 0.7


@pytest.mark.parametrize(
    ("call", "kind", "text"),
    [
        (
            lambda d: train(mlp((64, 10)), d, 0, lr=0.1, seed=0),
            ValueError,
            "epochs must be at least 1, not 0",
        ),
        (
            lambda d: train(mlp((64, 10)), d, 1, lr=0.1, seed=1.0),
            TypeError,
            "seed must be an int, not 1.0",
        ),
    ],
)
def test_refused(data, call, kind, text):
    with pytest.raises(kind, match=f"^{re.escape(text)}$"):
        call(data)


def test_shift_moves_whole_images():
    from darb.sw.training import _shifted

    images = torch.zeros(200, 25)
    images[:, 12] = 1
    moves = torch.randint(0, 3, (200, 2), generator=torch.Generator().manual_seed(0))
    moved = _shifted(images, moves, 1).view(-1, 5, 5)
    assert (moved.sum((1, 2)) == 1).all()
    places = moved.nonzero()[:, 1:]
    assert torch.equal(places, 3 - moves)
    assert len(places.unique(dim=0)) == 9
    with pytest.raises(ValueError, match=r"^shift must be 0 for examples that are no square"):
        _shifted(torch.zeros(2, 24), moves[:2], 1)


def rates(monkeypatch, data, epochs, **settings):
    """Return the learning rate of every optimizer step."""
    seen = []
    step = torch.optim.AdamW.step

    def note(self, *args, **kwargs):
        seen.append(self.param_groups[0]["lr"])
        return step(self, *args, **kwargs)

    monkeypatch.setattr(torch.optim.AdamW, "step", note)
    train(mlp((64, 10)), data, epochs, lr=0.01, seed=0, **settings)
    monkeypatch.undo()
    return seen


def test_rewound_learning_rates_are_the_last_of_the_schedule(data, monkeypatch):
    whole = rates(monkeypatch, data, 5)
    rewound = rates(monkeypatch, data, 2, schedule_epochs=5)
    assert rewound == pytest.approx(whole[-len(rewound) :], rel=1e-12)
    assert len(rewound) * 5 == len(whole) * 2
    assert rates(monkeypatch, data, 5, schedule_epochs=5) == whole
    assert max(rewound) < max(whole) == pytest.approx(0.01, rel=0.01)
    with pytest.raises(ValueError, match=r"^schedule_epochs must be at least 5, not 4$"):
        train(mlp((64, 10)), data, 5, lr=0.01, seed=0, schedule_epochs=4)


@pytest.mark.parametrize("steps", [1, 2, 19, 20, 21, 40])
def test_few_steps_have_learning_rates_too(steps, monkeypatch, data):
    few = Dataset(
        **{**vars(data), "train_x": data.train_x[:steps], "train_y": data.train_y[:steps]}
    )
    found = rates(monkeypatch, few, 1, batch=1)
    assert len(found) == steps
    assert all(0 < rate <= 0.01 * (1 + 1e-9) for rate in found)
    assert found[-1] == pytest.approx(0.01 / 25 / 1e4, rel=1e-6)


def made(shape, classes=10, seed=0):
    """Return examples whose label is where they are largest: the first values, or of each row."""
    generator = np.random.default_rng(seed)
    arrays = {}
    for part, count in (("train", 320), ("validation", 60), ("test", 60)):
        y = generator.integers(0, classes, size=count)
        x = generator.normal(0, 0.3, size=(count, *shape)).astype(np.float32)
        x[np.arange(count), ..., y] += 1
        arrays |= {f"{part}_x": x, f"{part}_y": y}
    return Dataset(name="made", classes=classes, **arrays)


@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_recurrent_networks_are_trained_on_sequences(kind):
    data = made((6, 12))
    model = speech_classifier(kind=kind, bands=12, hidden=16, dropout=0.1)
    best = train(model, data, 8, lr=0.02, seed=0, batch=32)
    assert best > 0.9
    assert accuracy(model, data.validation_x, data.validation_y) == best
    assert calibration_of(data, count=7).shape == (7, 6, 12)


def test_convolutions_are_trained_and_keep_their_layout():
    data = made((784,))
    model, again = lenet5(), lenet5()
    for each in (model, again):
        train(each, data, 1, lr=0.003, seed=0, batch=64)
    assert same(weights(model), weights(again))
    assert not same(weights(model), weights(lenet5()))
    assert all(parameter.is_contiguous() for parameter in model.parameters())


def test_outputs_leave_the_layout_that_they_find():
    network = lenet5(seed=0)
    weights = [p for p in network.parameters() if p.ndim == 4]
    x = torch.rand(3, 784, generator=torch.Generator().manual_seed(0))
    expected = network.eval()(x)
    natural = [p.stride() for p in weights]
    torch.testing.assert_close(logits(network, x), expected)
    assert [p.stride() for p in weights] == natural
    with _channels_last(network):
        moved = [p.stride() for p in weights]
        assert moved != natural
        torch.testing.assert_close(logits(network, x), expected)
        assert [p.stride() for p in weights] == moved


def test_layout_is_put_back_after_an_error():
    model = lenet5()
    seen = []

    def stop(epoch):
        seen.append(model[4].weight.is_contiguous())
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(model, made((784,)), 1, lr=0.003, seed=0, batch=64, on_epoch=stop)
    assert seen == [False]
    assert model[4].weight.is_contiguous()


def test_outputs_are_computed_a_few_examples_at_a_time(monkeypatch):
    sizes = []
    model = mlp((4, 3))
    model.register_forward_pre_hook(lambda module, inputs: sizes.append(len(inputs[0])))
    monkeypatch.setattr("darb.sw.training._CHUNK", 8)
    x = torch.rand(20, 4, generator=torch.Generator().manual_seed(0))
    found = logits(model, x)
    assert sizes == [8, 8, 4]
    assert torch.allclose(found, model(x), atol=1e-6)
    assert accuracy(model, x.numpy(), found.argmax(1).numpy()) == 1
    assert logits(model, x[:0]).shape == (0, 3)


def test_images_are_not_shifted_where_they_are_no_vectors():
    data = made((6, 12))
    with pytest.raises(ValueError, match=r"^shift must be 0 for examples that are no square"):
        train(speech_classifier(bands=12, hidden=4), data, 1, lr=0.01, seed=0, shift=1)
