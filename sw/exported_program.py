"""Networks that were saved with torch.export: read, judged operator by operator, rebuilt."""

from __future__ import annotations

import logging
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from torch.export import ExportedProgram
from torch.fx import Node

ALLOWED = "Linear, ReLU, Flatten or Dropout in evaluation mode"
_RELU = {"aten.relu.default", "aten.relu_.default"}
_SHAPE = {"aten.flatten.using_ints", "aten.view.default", "aten.reshape.default"}
_DROPOUT = {"aten.dropout.default", "aten.dropout_.default"}
_SAME = {"aten.alias.default", "aten.clone.default", "aten.contiguous.default"}
_SAME |= {"aten.detach.default", "aten.detach_.default", "aten._unsafe_view.default"}
# They yield a number that a view asks for, never a value that flows on.
_SIZES = {"aten.sym_size.int", "aten.size.int"}


class UnsupportedOperatorError(ValueError):
    """A network that holds something which the engine does not compute."""


@dataclass(frozen=True, eq=False)
class ExportedLayer:
    """One Linear layer of a saved network.

    Parameters
    ----------
    name : str
        Where its weight lives in the original module.
    weight : torch.Tensor, shape (M, N)
    bias : torch.Tensor, shape (M,), optional
    relu : bool
        Whether a ReLU follows.
    """

    name: str
    weight: torch.Tensor
    bias: torch.Tensor | None
    relu: bool


@contextmanager
def _silent_logging() -> Iterator[None]:
    """Keep torch from logging a traceback for each way it tries; the one error says it all."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)


def _read(path: Path) -> ExportedProgram:
    if not path.is_file():
        raise FileNotFoundError(f"{path} must be a file saved with torch.export.save")
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
        if damaged is not None:
            raise zipfile.BadZipFile(damaged)
        with _silent_logging(), path.open("rb") as file:
            return torch.export.load(file)
    except Exception as error:
        # The reader raises whatever its parts raise: zip, JSON, pickle, schema and key errors.
        raise ValueError(
            f"{path} must be a whole file saved with torch.export.save, but it cannot be read "
            f"({type(error).__name__})"
        ) from error


def _layer_of(node: Node) -> str:
    """Return the module that called an operator, as ``name (Kind)``."""
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    if not stack:
        return node.name
    name, kind = stack[-1]
    kind = kind if isinstance(kind, str) else kind.__name__
    return f"{name or 'the network itself'} ({kind.rsplit('.', 1)[-1]})"


def _refuse(node: Node, rule: str) -> UnsupportedOperatorError:
    return UnsupportedOperatorError(f"layer {_layer_of(node)}, operator {node.target}: {rule}")


def _argument(node: Node, position: int, name: str) -> object:
    return node.args[position] if len(node.args) > position else node.kwargs.get(name)


class _Chain:
    """Follows the one value that flows through a graph and notes the layers on its way."""

    def __init__(self, program: ExportedProgram) -> None:
        signature = program.graph_signature
        self.owners = {**signature.inputs_to_parameters, **signature.inputs_to_buffers}
        self.owners |= signature.inputs_to_lifted_tensor_constants
        self.tensors = {**program.constants, **program.state_dict}
        self.user_inputs = set(signature.user_inputs)
        self.value: Node | None = None
        self.batch: str = ""
        self.layers: list[ExportedLayer] = []

    def follow(self, graph: torch.fx.Graph) -> list[ExportedLayer]:
        for node in graph.nodes:
            if node.op == "placeholder":
                if node.name in self.user_inputs:
                    self._take_input(node)
            elif node.op == "call_function":
                self._take_operator(node)
            elif node.op == "output":
                self._take_output(node)
            else:
                raise _refuse(node, f"must be {ALLOWED}")
        return self.layers

    def _take_input(self, node: Node) -> None:
        if self.value is not None:
            raise UnsupportedOperatorError("the network must take one input, not more")
        if not isinstance(node.meta.get("val"), torch.Tensor) or node.meta["val"].ndim < 2:
            raise UnsupportedOperatorError(
                "the network must take a batch of vectors, shape (B, ...)"
            )
        self.value, self.batch = node, str(node.meta["val"].shape[0])

    def _take_operator(self, node: Node) -> None:
        target = str(node.target)
        if target in _SIZES:
            return
        handlers = {
            "aten.linear.default": self._take_linear,
            **dict.fromkeys(_RELU, self._take_relu),
            **dict.fromkeys(_DROPOUT, self._take_dropout),
            **dict.fromkeys(_SHAPE | _SAME, self._take_shape),
        }
        if target not in handlers:
            raise _refuse(node, f"must be {ALLOWED}")
        if node.args[0] is not self.value:
            raise _refuse(node, "must take what the operator before it gives, with no branch")
        handlers[target](node)
        self.value = node

    def _take_dropout(self, node: Node) -> None:
        if _argument(node, 2, "train") and _argument(node, 1, "p"):
            raise _refuse(
                node, "Dropout must be in evaluation mode: call model.eval() before torch.export"
            )

    def _take_shape(self, node: Node) -> None:
        if str(node.meta["val"].shape[0]) != self.batch:
            raise _refuse(node, "must keep the batch as it is")

    def _take_linear(self, node: Node) -> None:
        shape = node.args[0].meta["val"].shape
        if len(shape) != 2:
            raise _refuse(node, f"its input must have shape (B, N), not {tuple(shape)}")
        name, weight = self._tensor(node, node.args[1])
        bias = _argument(node, 2, "bias")
        bias = None if bias is None else self._tensor(node, bias)[1]
        self.layers.append(ExportedLayer(name.removesuffix(".weight"), weight, bias, False))

    def _take_relu(self, node: Node) -> None:
        if not self.layers:
            raise _refuse(node, "must follow a Linear layer")
        last = self.layers[-1]
        self.layers[-1] = ExportedLayer(last.name, last.weight, last.bias, True)

    def _tensor(self, node: Node, source: Node) -> tuple[str, torch.Tensor]:
        name = self.owners.get(source.name)
        if name is None:
            raise _refuse(node, "its weights must be parameters, not computed")
        tensor = self.tensors[name].detach()
        if not tensor.is_floating_point():
            raise _refuse(node, f"its weights must be real numbers, not {tensor.dtype}")
        return name, tensor.float()

    def _take_output(self, node: Node) -> None:
        if node.args[0] != (self.value,):
            raise UnsupportedOperatorError("the network must give one output, its last operator's")
        if not self.layers:
            raise UnsupportedOperatorError("the network must have at least one Linear layer")


def exported_layers(program: ExportedProgram) -> list[ExportedLayer]:
    """Return the layers of an exported program, in order.

    Raises
    ------
    UnsupportedOperatorError
        If it holds anything but a chain of Linear, ReLU, Flatten and identity Dropout; names the
        layer and the operator.
    """
    return _Chain(program).follow(program.graph)


def load_exported(path: str | Path) -> nn.Sequential:
    """Read a network that was saved with ``torch.export.save``.

    Parameters
    ----------
    path : path
        A ``.pt2`` file.

    Returns
    -------
    torch.nn.Sequential
        Flatten, then Linear and ReLU modules, in evaluation mode. Linear modules keep their
        original names, dots replaced by underscores.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it cannot be read.
    UnsupportedOperatorError
        If it holds anything but a chain of Linear, ReLU, Flatten and identity Dropout; names the
        layer and the operator.
    """
    path = Path(path)
    program = _read(path)
    try:
        layers = exported_layers(program)
    except UnsupportedOperatorError as error:
        raise UnsupportedOperatorError(f"{path}: {error}") from None
    model = nn.Sequential()
    model.add_module("flatten", nn.Flatten())
    for layer in layers:
        rows, columns = layer.weight.shape
        linear = nn.Linear(columns, rows, bias=layer.bias is not None)
        with torch.no_grad():
            linear.weight.copy_(layer.weight)
            if layer.bias is not None:
                linear.bias.copy_(layer.bias)
        name = _free_name(model, layer.name.replace(".", "_"))
        model.add_module(name, linear)
        if layer.relu:
            model.add_module(f"{name}_relu", nn.ReLU())
    return model.eval()


def _free_name(model: nn.Sequential, name: str) -> str:
    """Return `name`, numbered where a layer with shared weights has it already."""
    free, number = name, 2
    while free in dict(model.named_children()) or f"{free}_relu" in dict(model.named_children()):
        free, number = f"{name}_{number}", number + 1
    return free
