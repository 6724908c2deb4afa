"""What a formal proof is about: a component, what may happen at its ports, and what must hold."""

from __future__ import annotations

from amaranth.asserts import AnyConst
from amaranth.hdl import Assert, Elaboratable, Module, Signal, Value, ValueLike
from amaranth.lib import data, memory, wiring


class Opened:
    """A component as a submodule whose registers and memories can be named.

    Parameters
    ----------
    m : Module
        Takes `component` as its submodule `name`.
    """

    def __init__(self, m: Module, component: wiring.Component, name: str = "dut") -> None:
        self._module = _elaborated_here(component)
        m.submodules[name] = component

    def __getitem__(self, name: str) -> Signal:
        """Return the signal called `name` that the component drives."""
        # Amaranth has no public way to a signal that only `elaborate` knows.
        found = [signal for signal in self._module._driving if signal.name == name]
        assert len(found) == 1, f"{name!r} names {len(found)} signals"
        return found[0]

    def submodule(self, m: Module, name: str) -> Opened:
        """Return the component that is submodule `name`, opened too."""
        inner = Opened.__new__(Opened)
        inner._module = _elaborated_here(getattr(self._module.submodules, name))
        return inner

    def peek(self, m: Module, ram: str, address: ValueLike) -> Signal:
        """Return what stands at `address` of the memory in submodule `ram`."""
        words = self.submodule(m, ram)._module.submodules.words
        assert isinstance(words, memory.Memory)
        port = words.read_port(domain="comb")
        m.d.comb += port.addr.eq(address)
        return port.data


def _elaborated_here(component: wiring.Component) -> Module:
    """Elaborate `component` once, now and for later."""
    module = component.elaborate(None)
    component.elaborate = lambda platform: module
    return module


class Harness(Elaboratable):
    """A component between inputs that the solver chooses, and assertions.

    A subclass builds it in `build`. What `require` says is the property; what `invariant` says
    only helps induction, and is left out where a broken component must be seen to break the
    property itself.

    Parameters
    ----------
    invariants : bool
    """

    def __init__(self, *, invariants: bool = True) -> None:
        self._invariants = invariants
        self.ports: list[Value] = []

    def build(self, m: Module) -> None:
        """Instantiate the component, its surroundings and the assertions."""
        raise NotImplementedError

    def elaborate(self, platform: object) -> Module:
        """Build the harness."""
        m = Module()
        self.build(m)
        return m

    def free(self, shape: object, name: str) -> Signal | data.View:
        """Return an input that can be anything in every clock."""
        signal = Signal(shape, name=name)
        self.ports.append(Value.cast(signal))
        return signal

    def drive(self, m: Module, *inputs: Signal | data.View) -> None:
        """Let each of a component's inputs be anything in every clock."""
        for signal in inputs:
            value = Value.cast(signal)
            m.d.comb += value.eq(self.free(len(value), f"any_{len(self.ports)}"))

    def constant(self, m: Module, shape: object, name: str) -> Signal:
        """Return what can be anything and then stays."""
        signal = Signal(shape, name=name)
        m.d.comb += Value.cast(signal).eq(AnyConst(len(Value.cast(signal))))
        return signal

    def require(self, m: Module, condition: ValueLike) -> None:
        """Assert the property."""
        m.d.comb += Assert(condition)

    def invariant(self, m: Module, condition: ValueLike) -> None:
        """Assert what induction starts from."""
        if self._invariants:
            m.d.comb += Assert(condition)
