"""What each weight matrix of an LSTM or GRU multiplies: inputs and hidden states."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from darb.sw.pruning.layer_modules import Inputs, RecurrentModule, States


@torch.no_grad()
def recurrent_inputs(
    module: RecurrentModule, sequences: Inputs, states: States | None = None
) -> Iterator[tuple[str, torch.Tensor]]:
    """Give what each weight matrix multiplies in one call of the module in evaluation.

    The module's layers are run one at a time, for torch shows no states between them.

    Parameters
    ----------
    module : torch.nn.LSTM or torch.nn.GRU
        Without projections.
    sequences : torch.Tensor or PackedSequence
        As the module takes them: (T, B, N), (B, T, N) where it is `batch_first`, (T, N) for one
        sequence alone, or packed sequences of different lengths.
    states : torch.Tensor or tuple of two, optional
        Initial hidden states, and cell states of an LSTM; zero if left out.

    Yields
    ------
    parameter : str
        What the module calls the matrix.
    vectors : torch.Tensor, shape (V, N)
        One for each step of each sequence. Those of a recurrent matrix are the hidden states
        before the steps, the initial ones included and the final ones not.
    """
    packed, lengths = _packed(module, sequences)
    directions = 2 if module.bidirectional else 1
    hidden, cell = _initial(module, states, batch=len(lengths), like=packed.data)
    for number in range(module.num_layers):
        own = slice(number * directions, (number + 1) * directions)
        start = hidden[own] if cell is None else (hidden[own], cell[own])
        # Weights that are not the module's own flat ones are refused or warned of by cuDNN.
        with torch.backends.cudnn.flags(enabled=False):
            outputs, _ = _single(module, number)(packed, start)
        after, _ = pad_packed_sequence(outputs)
        time = torch.arange(len(after), device=after.device)[:, None]
        for direction in range(directions):
            suffix = f"_l{number}" + ("_reverse" if direction else "")
            yield f"weight_ih{suffix}", packed.data
            # The last step of a direction hands its state to no other; padding is no step.
            handed = (time < lengths) & (time > 0) if direction else time < lengths - 1
            half = after[..., direction * module.hidden_size :][..., : module.hidden_size]
            yield f"weight_hh{suffix}", torch.cat([hidden[own][direction], half[handed]])
        packed = outputs


def _packed(module: RecurrentModule, sequences: Inputs) -> tuple[PackedSequence, torch.Tensor]:
    """Return sequences as packed ones, and their lengths in the order of the batch."""
    if isinstance(sequences, PackedSequence):
        _, lengths = pad_packed_sequence(sequences)
        return sequences, lengths.to(sequences.data.device)
    if sequences.ndim == 2:
        sequences = sequences[:, None]
    elif module.batch_first:
        sequences = sequences.transpose(0, 1)
    lengths = torch.full((sequences.shape[1],), len(sequences))
    return pack_padded_sequence(sequences, lengths), lengths.to(sequences.device)


def _initial(
    module: RecurrentModule, states: States | None, *, batch: int, like: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Return hidden and cell states of shape (layers and directions, B, H)."""
    count = module.num_layers * (2 if module.bidirectional else 1)
    shape = (count, batch, module.hidden_size)
    lstm = isinstance(module, nn.LSTM)
    if states is None:
        zero = like.new_zeros(shape)
        return zero, zero if lstm else None
    hidden, cell = states if lstm else (states, None)
    return hidden.reshape(shape), None if cell is None else cell.reshape(shape)


def _single(module: RecurrentModule, number: int) -> RecurrentModule:
    """Return one layer of a stack as a module that shares its weights."""
    width = module.hidden_size * (2 if module.bidirectional else 1)
    single = (nn.LSTM if isinstance(module, nn.LSTM) else nn.GRU)(
        width if number else module.input_size,
        module.hidden_size,
        bias=module.bias,
        bidirectional=module.bidirectional,
        # Weights that are about to be replaced need no memory, and no random numbers.
        device="meta",
    )
    for name in list(single._parameters):
        weight = getattr(module, name.replace("_l0", f"_l{number}"))
        setattr(single, name, nn.Parameter(weight.detach(), requires_grad=False))
    return single.eval()
