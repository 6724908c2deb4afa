"""Registers in a row, for signals that travel beside the data."""

from __future__ import annotations

from amaranth.hdl import Module, Signal, ValueLike


def delay(
    m: Module, value: ValueLike, clocks: int, *, name: str, reset_less: bool = False
) -> Signal:
    """Return `value` as it stood `clocks` clocks before; zero at first, and out of reset.

    Parameters
    ----------
    m : Module
        Takes the registers.
    value : value-like
        Any shape; the result has the same.
    clocks : int
        0 returns `value` itself.
    name : str
        Of the signals, numbered by their age.
    reset_less : bool
        A reset leaves the registers as they are; such ones block RAMs and multipliers can take in.
    """
    shape = value.shape()
    for age in range(1, clocks + 1):
        later = Signal(shape, name=f"{name}_{age}", reset_less=reset_less)
        m.d.sync += later.eq(value)
        value = later
    return value
