"""What a formal proof is about: a component, what may happen at its ports, and what must hold."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from types import FrameType

from amaranth.asserts import AnyConst
from amaranth.hdl import Assert, Elaboratable, Module, Signal, Value, ValueLike
from amaranth.lib import data, memory, wiring


class Opened:
    """A component whose registers and memories can be named.

    Parameters
    ----------
    component : wiring.Component
        Still to be made a submodule.
    """

    def __init__(self, component: wiring.Component) -> None:
        self.component = component
        self._module, self._locals = _elaborate(component)
        # Elaborated once, now and for later.
        component.elaborate = lambda platform: self._module

    def __getitem__(self, name: str) -> Signal:
        """Return the signal called `name`, in the component's source or by itself."""
        if isinstance(self._locals.get(name), Value | data.View):
            return self._locals[name]
        # Amaranth has no public way to a signal that only `elaborate` knows.
        found = [signal for signal in self._module._driving if signal.name == name]
        assert len(found) == 1, f"{name!r} names {len(found)} signals"
        return found[0]

    def local(self, name: str) -> object:
        """Return what the component's source calls `name` where it is built."""
        return self._locals[name]

    def submodule(self, name: str) -> Opened:
        """Return the component that is submodule `name`."""
        return Opened(getattr(self._module.submodules, name))

    def peek(self, m: Module, address: ValueLike) -> Signal:
        """Return what stands at `address`, if this is a memory of `darb.hw.memory`."""
        words = self._module.submodules.words
        assert isinstance(words, memory.Memory)
        port = words.read_port(domain="comb")
        m.d.comb += port.addr.eq(address)
        return port.data


def _elaborate(component: wiring.Component) -> tuple[Module, dict[str, object]]:
    """Return the component's module and the local variables of the methods that built it."""
    names: dict[str, object] = {}

    def look(frame: FrameType, event: str, result: object) -> None:
        if event == "return" and frame.f_locals.get("self") is component:
            names.update(frame.f_locals)

    before = sys.getprofile()
    sys.setprofile(look)
    try:
        module = component.elaborate(None)
    finally:
        sys.setprofile(before)
    return module, names


class Harness(Elaboratable, ABC):
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

    @abstractmethod
    def build(self, m: Module) -> None:
        """Instantiate the component, its surroundings and the assertions."""

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

    def open(self, m: Module, component: wiring.Component) -> Opened:
        """Make `component` a submodule that can be looked into."""
        m.submodules.dut = component
        return Opened(component)

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
        m.d.comb += Assert(condition, src_loc_at=1)

    def invariant(self, m: Module, condition: ValueLike) -> None:
        """Assert what induction starts from."""
        if self._invariants:
            m.d.comb += Assert(condition, src_loc_at=1)
