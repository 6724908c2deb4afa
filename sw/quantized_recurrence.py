"""LSTM and GRU modules whose matrix products are in integers and whose gates are not."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

from darb.sw.integer_product import IntegerProduct
from darb.sw.pruning.layer_modules import RecurrentModule
from darb.sw.quantization_scales import quantize_rows
from darb.sw.quantized_layer import encode


class QuantizedMatrix:
    """One weight matrix of a recurrent layer, and the bias that goes with it, as codes.

    Parameters
    ----------
    name : str
        For messages.
    weights : torch.Tensor, shape (M, N)
    bias : torch.Tensor or None, shape (M,)
    input_scale : float
        Real value of one step of what the matrix multiplies.
    weight_bits, activation_bits : int
    """

    def __init__(
        self,
        name: str,
        weights: torch.Tensor,
        bias: torch.Tensor | None,
        *,
        input_scale: float,
        weight_bits: int,
        activation_bits: int,
    ) -> None:
        arrays = [
            torch.zeros(len(weights)) if values is None else values for values in (weights, bias)
        ]
        if not all(torch.isfinite(values).all() for values in arrays):
            raise ValueError(f"layer {name}: weights and bias must be finite, not NaN or infinity")
        self.input_scale = input_scale
        self.rows = quantize_rows(
            *(values.detach().double().cpu().numpy() for values in arrays),
            input_scale=input_scale,
            weight_bits=weight_bits,
        )
        self._bits = activation_bits
        self._product = IntegerProduct(
            self.rows.weights, self.rows.bias, activation_bits=activation_bits, layer=name
        )
        self._steps = torch.as_tensor(self.rows.steps)

    def __call__(self, values: torch.Tensor) -> torch.Tensor:
        """Return the products with real vectors, shape (..., N), as float64, shape (..., M)."""
        codes = encode(values, scale=self.input_scale, bits=self._bits)
        return torch.as_tensor(self._product(codes)) * self._steps


class QuantizedRecurrence:
    """An LSTM or GRU whose products ``W_ih x`` and ``W_hh h`` are of integers.

    The inputs and the hidden state are rounded to codes before each product, one scale a tensor;
    the sums are exact. Everything else, that is the gates' sigmoid and tanh, the products of gates
    with states, and the states themselves, is float64: the part of a host beside an engine.

    Parameters
    ----------
    name : str
        For messages.
    module : torch.nn.LSTM or torch.nn.GRU
        Without projections.
    scales : dict of str to float
        Real value of one step of what each matrix multiplies, by the matrix' name in the module.
    weight_bits, activation_bits : int
    """

    def __init__(
        self,
        name: str,
        module: RecurrentModule,
        *,
        scales: dict[str, float],
        weight_bits: int,
        activation_bits: int,
    ) -> None:
        self.module = module
        self.matrices = {
            parameter: QuantizedMatrix(
                f"{name}.{parameter}" if name else parameter,
                getattr(module, parameter),
                getattr(module, parameter.replace("weight", "bias"), None),
                input_scale=scale,
                weight_bits=weight_bits,
                activation_bits=activation_bits,
            )
            for parameter, scale in scales.items()
        }

    @torch.no_grad()
    def __call__(
        self, input: torch.Tensor | PackedSequence, hx: object = None
    ) -> tuple[torch.Tensor | PackedSequence, object]:
        """Return outputs and final states as the module does, for all that the module takes."""
        module = self.module
        packed = input if isinstance(input, PackedSequence) else None
        values, lengths = self._padded(input)
        directions = 2 if module.bidirectional else 1
        shape = (module.num_layers * directions, values.shape[1], module.hidden_size)
        lstm = isinstance(module, nn.LSTM)
        given = (hx if lstm else (hx,)) if hx is not None else ()
        start = [state.reshape(shape).double() for state in given]
        start += [values.new_zeros(shape)] * (2 - len(start))
        ends = []
        for number in range(module.num_layers):
            halves = []
            for direction in range(directions):
                own = number * directions + direction
                half, end = self._run(
                    values,
                    lengths,
                    start[0][own],
                    start[1][own],
                    suffix=f"_l{number}" + ("_reverse" if direction else ""),
                )
                halves.append(half)
                ends.append(end)
            values = torch.cat(halves, dim=2)
        kind = (packed.data if packed else input).dtype
        hidden, cell = (torch.stack(parts).to(kind) for parts in zip(*ends, strict=True))
        outputs = values.to(kind)
        if packed:
            outputs = _repacked(outputs, packed)
        elif input.ndim == 2:
            outputs, hidden, cell = outputs[:, 0], hidden[:, 0], cell[:, 0]
        elif module.batch_first:
            outputs = outputs.transpose(0, 1)
        return outputs, (hidden, cell) if lstm else hidden

    def _padded(
        self, sequences: torch.Tensor | PackedSequence
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return sequences as (T, B, N) of float64, and their lengths."""
        if isinstance(sequences, PackedSequence):
            values, lengths = pad_packed_sequence(sequences)
            return values.double(), lengths
        if sequences.ndim == 2:
            sequences = sequences[:, None]
        elif self.module.batch_first:
            sequences = sequences.transpose(0, 1)
        return sequences.double(), torch.full((sequences.shape[1],), len(sequences))

    def _run(
        self,
        values: torch.Tensor,
        lengths: torch.Tensor,
        hidden: torch.Tensor,
        cell: torch.Tensor,
        *,
        suffix: str,
    ) -> tuple[torch.Tensor, tuple[torch.Tensor, torch.Tensor]]:
        """Run one layer in one direction, all sequences at once."""
        from_inputs = self.matrices[f"weight_ih{suffix}"](values)
        recurrent = self.matrices[f"weight_hh{suffix}"]
        advance = _lstm_cell if isinstance(self.module, nn.LSTM) else _gru_cell
        outputs = values.new_zeros(*values.shape[:2], self.module.hidden_size)
        steps = range(len(values))
        for step in reversed(steps) if suffix.endswith("_reverse") else steps:
            after, cell_after = advance(from_inputs[step], recurrent(hidden), hidden, cell)
            # A sequence that is over, or backwards has not begun, keeps its state.
            running = (step < lengths)[:, None]
            hidden = torch.where(running, after, hidden)
            cell = torch.where(running, cell_after, cell)
            outputs[step] = torch.where(running, after, 0.0)
        return outputs, (hidden, cell)


def _lstm_cell(
    from_inputs: torch.Tensor, from_hidden: torch.Tensor, hidden: torch.Tensor, cell: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    let_in, forget, candidate, let_out = (from_inputs + from_hidden).chunk(4, dim=1)
    cell = forget.sigmoid() * cell + let_in.sigmoid() * candidate.tanh()
    return let_out.sigmoid() * cell.tanh(), cell


def _gru_cell(
    from_inputs: torch.Tensor, from_hidden: torch.Tensor, hidden: torch.Tensor, cell: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    reset_in, update_in, candidate_in = from_inputs.chunk(3, dim=1)
    reset_hidden, update_hidden, candidate_hidden = from_hidden.chunk(3, dim=1)
    update = (update_in + update_hidden).sigmoid()
    candidate = candidate_in + (reset_in + reset_hidden).sigmoid() * candidate_hidden
    return (1 - update) * candidate.tanh() + update * hidden, cell


def _repacked(outputs: torch.Tensor, like: PackedSequence) -> PackedSequence:
    """Return padded outputs, shape (T, B, H), packed as the inputs were."""
    if like.sorted_indices is not None:
        outputs = outputs[:, like.sorted_indices]
    rows = [outputs[step, :count] for step, count in enumerate(like.batch_sizes.tolist())]
    return PackedSequence(
        torch.cat(rows), like.batch_sizes, like.sorted_indices, like.unsorted_indices
    )
