"""The register behind a multiplier, as the families' synthesis wants to find it."""

from __future__ import annotations

from amaranth.hdl import ShapeLike, Signal


def product_register(shape: ShapeLike, *, name: str) -> Signal:
    """Return a register for a product that is to be added to others; zero at first.

    It has no reset, so that an ECP5's multiplier takes it in. An iCE40's must not: where two
    products meet in an adder, yosys 0.70 gives both multipliers the one register, and drops one of
    them. What is kept by name it leaves alone.

    Parameters
    ----------
    shape : shape-like
        Of the product.
    name : str
        Of the signal.
    """
    return Signal(shape, name=name, reset_less=True, attrs={"keep": 1})
