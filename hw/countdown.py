"""A counter whose end is a register of its own, so that no wide comparison stands behind it."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, ShapeLike, Signal, Value, ValueLike

_LOW = 2


def marks(value: Value) -> Value:
    """Return what `Countdown.start` is to know of `value`: it is 0, its high bits are."""
    return Cat(value == 0, value[_LOW:] == 0)


class Countdown:
    """Counts down to zero and says from a register that it is there.

    What the high bits say of the end is seen a clock late, which is soon enough: the low bits have
    to count down after them.

    Parameters
    ----------
    shape : shape-like
        Of the counter, unsigned.
    name : str
        Of the signals.

    Attributes
    ----------
    left : Signal(shape)
        What is left to count; 0 out of reset.
    last : Signal(1)
        Registered: nothing is left.
    near : Value
        One is left. Of few bits.
    """

    def __init__(self, shape: ShapeLike, *, name: str) -> None:
        self.left = Signal(shape, name=f"{name}_left")
        self.last = Signal(init=1, name=f"{name}_last")
        self.high_is_0 = Signal(init=1, name=f"{name}_high_is_0")
        self.near = self.high_is_0 & (self.left[:_LOW] == 1)

    def start(self, m: Module, left: ValueLike, marked: Value) -> None:
        """Set the counter, under the conditions that `m` is in.

        Parameters
        ----------
        m : Module
        left : value-like
        marked : Value
            `marks` of `left`, best from a register.
        """
        m.d.sync += [self.left.eq(left), Cat(self.last, self.high_is_0).eq(marked)]

    def count(self, m: Module) -> None:
        """Count once, under the conditions that `m` is in."""
        m.d.sync += [
            self.left.eq(self.left - 1),
            self.last.eq(self.near),
            self.high_is_0.eq(self.left[_LOW:] == 0),
        ]
