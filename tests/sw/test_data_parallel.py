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


def gradients_of(tmp_path: Path, name: str, *launcher: str) -> np.ndarray:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    found = tmp_path / f"{name}.npy"
    subprocess.run(
        [sys.executable, *launcher, script, found], check=True, timeout=300, capture_output=True
    )
    return np.load(found)


def test_two_processes_see_the_gradient_of_the_whole_batch(tmp_path):
    alone = gradients_of(tmp_path, "alone")
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    np.testing.assert_allclose(gradients_of(tmp_path, "two", *launcher), alone, rtol=1e-12)


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
