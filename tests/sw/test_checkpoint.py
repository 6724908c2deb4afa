import re

import pytest
import torch

from darb.sw.checkpoint import load_dense, save_checkpoint
from darb.sw.networks import mlp


@pytest.fixture
def saved(tmp_path):
    dense, pruned = mlp((6, 4, 2), seed=1), mlp((6, 4, 2), seed=2)
    save_checkpoint(tmp_path / "c.pt", dense=dense, pruned=pruned)
    return tmp_path / "c.pt", dense


def test_the_dense_weights_come_back(saved):
    path, dense = saved
    model = mlp((6, 4, 2), dropout=0.2, seed=9)
    load_dense(path, mlp((6, 4, 2), seed=9))
    with pytest.raises(ValueError, match=re.escape(": 2.bias must have shape None, not (2,)")):
        load_dense(path, model)
    plain = mlp((6, 4, 2), seed=9)
    load_dense(path, plain)
    assert all(
        torch.equal(a, b) for a, b in zip(plain.parameters(), dense.parameters(), strict=True)
    )
    assert not plain.training


def test_a_plain_state_dict_will_do(tmp_path):
    source, model = mlp((6, 2), seed=1), mlp((6, 2), seed=2)
    torch.save(source.state_dict(), tmp_path / "c.pt")
    load_dense(tmp_path / "c.pt", model)
    assert torch.equal(source[0].weight, model[0].weight)


def test_another_network_is_refused(saved):
    with pytest.raises(ValueError, match=re.escape("0.weight must have shape (4, 7), not (4, 6)")):
        load_dense(saved[0], mlp((7, 4, 2)))


def test_something_else_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"must be a checkpoint file$"):
        load_dense(tmp_path / "c.pt", mlp((6, 2)))
    (tmp_path / "c.pt").write_bytes(b"nothing of the kind")
    with pytest.raises(ValueError, match=r"must be a whole checkpoint saved with torch.save"):
        load_dense(tmp_path / "c.pt", mlp((6, 2)))
    torch.save([1, 2], tmp_path / "c.pt")
    with pytest.raises(ValueError, match=r"must hold the weights of a network$"):
        load_dense(tmp_path / "c.pt", mlp((6, 2)))
    torch.save(
        {"0.weight": torch.full((2, 6), torch.nan), "0.bias": torch.zeros(2)}, tmp_path / "c.pt"
    )
    with pytest.raises(ValueError, match=r"0\.weight must be finite"):
        load_dense(tmp_path / "c.pt", mlp((6, 2)))
