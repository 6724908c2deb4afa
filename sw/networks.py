"""Small networks whose pruning is measured, deterministic by seed."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
from torch import nn

from darb.sw.validation import MOST_SEED, check_choice, check_int

KINDS = ("lstm", "gru")

_Network = TypeVar("_Network", bound=nn.Module)


def mlp(sizes: Sequence[int], *, dropout: float = 0.0, seed: int = 0) -> nn.Sequential:
    """Return a chain of Linear layers with ReLU, and dropout if asked, between them.

    Parameters
    ----------
    sizes : sequence of int
        Inputs, hidden layers' rows, outputs.
    dropout : float
        Share of hidden values dropped in training.
    seed : int
        Of the initial weights.

    Raises
    ------
    TypeError
        If an argument is of the wrong kind.
    ValueError
        If there are fewer than two sizes, or a value is out of its range.
    """
    if len(sizes) < 2:
        raise ValueError(f"sizes must name inputs and outputs, not {sizes!r}")
    for size in sizes:
        check_int("sizes", size, 1)
    _check_dropout(dropout)

    def build() -> nn.Sequential:
        modules: list[nn.Module] = []
        for index, (inputs, outputs) in enumerate(itertools.pairwise(sizes)):
            if index:
                modules.append(nn.ReLU())
                if dropout:
                    modules.append(nn.Dropout(dropout))
            modules.append(nn.Linear(inputs, outputs))
        return nn.Sequential(*modules)

    return _seeded(build, seed)


def lenet5(*, seed: int = 0) -> nn.Sequential:
    """Return the LeNet-5 that Caffe ships and the literature of pruning measures.

    Convolutions of 20 and of 50 maps of 5 x 5, each followed by pooling of 2 x 2, then 800-500-10;
    430,500 weights. ReLU follows each layer but the last.

    Parameters
    ----------
    seed : int
        Of the initial weights.

    Returns
    -------
    torch.nn.Sequential
        Takes vectors of 784 pixels, shape (B, 784), and gives logits, shape (B, 10).

    Raises
    ------
    TypeError
        If `seed` is no int.
    ValueError
        If it is out of its range.
    """

    def build() -> nn.Sequential:
        return nn.Sequential(
            nn.Unflatten(1, (1, 28, 28)),
            nn.Conv2d(1, 20, 5),
            # The largest of ReLU's outputs is ReLU of the largest: a quarter of the work.
            nn.MaxPool2d(2),
            nn.ReLU(),
            nn.Conv2d(20, 50, 5),
            nn.MaxPool2d(2),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(800, 500),
            nn.ReLU(),
            nn.Linear(500, 10),
        )

    return _seeded(build, seed)


class SpeechClassifier(nn.Module):
    """Recurrent layers over the frames of a recording, then a Linear layer on the last state.

    Parameters
    ----------
    recurrent : torch.nn.LSTM or torch.nn.GRU
        With `batch_first`.
    dropout : float
        Share of the last state dropped in training.
    classes : int
    """

    def __init__(self, recurrent: nn.LSTM | nn.GRU, *, dropout: float, classes: int) -> None:
        super().__init__()
        self.recurrent = recurrent
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(recurrent.hidden_size, classes)

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """Return logits, shape (B, classes), of sequences of shape (B, T, F)."""
        states, _ = self.recurrent(frames)
        return self.output(self.dropout(states[:, -1]))


def speech_classifier(
    *,
    kind: str = "lstm",
    bands: int = 40,
    hidden: int = 128,
    layers: int = 2,
    classes: int = 10,
    dropout: float = 0.0,
    seed: int = 0,
) -> SpeechClassifier:
    """Return a recurrent network that tells which word a recording says.

    Parameters
    ----------
    kind : str
        ``lstm`` or ``gru``.
    bands : int
        F, the values of a frame.
    hidden : int
        Values of a hidden state.
    layers : int
        Recurrent layers.
    classes : int
    dropout : float
        Share of hidden values dropped in training between layers and before the output.
    seed : int
        Of the initial weights.

    Raises
    ------
    TypeError
        If an argument is of the wrong kind.
    ValueError
        If a value is out of its range.
    """
    check_choice("kind", kind, KINDS)
    sizes = {"bands": bands, "hidden": hidden, "layers": layers, "classes": classes}
    for name, size in sizes.items():
        check_int(name, size, 1)
    _check_dropout(dropout)

    def build() -> SpeechClassifier:
        recurrent = (nn.LSTM if kind == "lstm" else nn.GRU)(
            bands,
            hidden,
            layers,
            batch_first=True,
            # torch warns of dropout where there is nothing between layers.
            dropout=dropout if layers > 1 else 0.0,
        )
        return SpeechClassifier(recurrent, dropout=dropout, classes=classes)

    return _seeded(build, seed)


def _seeded(build: Callable[[], _Network], seed: int) -> _Network:
    """Return a network whose initial weights follow `seed`, the caller's randomness left alone."""
    check_int("seed", seed, 0, MOST_SEED)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build()


def _check_dropout(value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"dropout must be a number, not {value!r}")
    if not 0 <= value < 1:
        raise ValueError(f"dropout must be at least 0 and below 1, not {value!r}")
