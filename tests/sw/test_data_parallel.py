"""Two processes of torchrun train the network that one does."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import torch

from darb.sw.data_parallel import process_group, share_of, sum_gradients

SCRIPT = """
import sys

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from darb.sw.data_parallel import process_group, share_of, sum_gradients

torch.set_num_threads(1)
with process_group() as first:
    torch.manual_seed(0)
    model = nn.Linear(6, 3, dtype=torch.float64)
    x = torch.randn(7, 6, dtype=torch.float64)
    y = torch.arange(7) % 3
    gradients = []
    for batch in (torch.arange(7), torch.arange(1)):
        mine, weight = share_of(batch)
        model.zero_grad()
        (weight * functional.cross_entropy(model(x[mine]), y[mine])).backward()
        sum_gradients(model)
        gradients.append(model.weight.grad.numpy().copy())
    if first:
        np.save(sys.argv[1], np.stack(gradients))
"""


TWO = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")


def result_of(text: str, tmp_path: Path, name: str, *launcher: str) -> np.ndarray:
    """Run a script, alone or by a launcher, and return what it saves."""
    script = tmp_path / "script.py"
    script.write_text(text)
    found = tmp_path / f"{name}.npy"
    subprocess.run(
        [sys.executable, *launcher, script, found], check=True, timeout=300, capture_output=True
    )
    return np.load(found)


def test_two_processes_see_the_gradient_of_the_whole_batch(tmp_path):
    alone = result_of(SCRIPT, tmp_path, "alone")
    np.testing.assert_allclose(result_of(SCRIPT, tmp_path, "two", *TWO), alone, rtol=1e-12)


TRAINING = """
import sys

import numpy as np
import torch

from darb.sw.data_parallel import process_group
from darb.sw.datasets import Dataset
from darb.sw.networks import mlp
from darb.sw.training import train

generator = np.random.default_rng(0)
parts = {}
for part, count in (("train", 67), ("validation", 20), ("test", 20)):
    parts[f"{part}_x"] = generator.random((count, 16), dtype=np.float32)
    parts[f"{part}_y"] = generator.integers(3, size=count)
dataset = Dataset(name="made", classes=3, **parts)
model = mlp((16, 12, 3)).double()
for name in ("train_x", "validation_x", "test_x"):
    object.__setattr__(dataset, name, parts[name].astype(np.float64))
with process_group() as first:
    train(model, dataset, 3, lr=0.01, seed=0, batch=33, shift=1)
    weights = torch.cat([parameter.detach().flatten() for parameter in model.parameters()])
    if torch.distributed.is_initialized():
        every = [torch.empty_like(weights) for _ in range(torch.distributed.get_world_size())]
        torch.distributed.all_gather(every, weights)
        assert all(torch.equal(other, weights) for other in every)
    if first:
        np.save(sys.argv[1], weights.numpy())
"""


def test_two_processes_train_the_same_network(tmp_path):
    alone = result_of(TRAINING, tmp_path, "alone")
    # A step divides by the root of the squared gradient, and so by its rounding.
    np.testing.assert_allclose(result_of(TRAINING, tmp_path, "two", *TWO), alone, atol=1e-6)


def test_one_process_has_the_whole_batch():
    batch = torch.arange(5)
    model = torch.nn.Linear(2, 1)
    model(torch.ones(1, 2)).sum().backward()
    before = model.weight.grad.clone()
    with process_group() as first:
        mine, weight = share_of(batch)
        sum_gradients(model)
    assert first is True
    assert mine is batch
    assert weight == 1.0
    assert torch.equal(model.weight.grad, before)
