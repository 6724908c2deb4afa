"""A small network with a two-layer LSTM or GRU in both directions, and inputs for it."""

import torch
from torch import nn

X = torch.rand(20, 6, 16, generator=torch.Generator().manual_seed(0))
KINDS = [nn.LSTM, nn.GRU]
MATRICES = [
    f"rnn.weight_{part}_l{layer}{direction}"
    for layer in (0, 1)
    for direction in ("", "_reverse")
    for part in ("ih", "hh")
]


class Tagger(nn.Module):
    """Two layers in both directions, and a Linear on the mean over time."""

    def __init__(self, kind):
        super().__init__()
        self.rnn = kind(16, 16, num_layers=2, bidirectional=True, batch_first=True)
        self.last = nn.Linear(32, 16)

    def forward(self, x):
        return self.last(self.rnn(x)[0].mean(dim=1))


def tagger(kind, seed=0):
    torch.manual_seed(seed)
    return Tagger(kind)


def weights_of(model):
    """Return copies of the weights, by the names that the parameters have in torch."""
    named = dict(model.named_parameters())
    return {name: named[name].detach().numpy().copy() for name in (*MATRICES, "last.weight")}
