"""A beat that the solver picks: what comes out in its place is what went in."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, Value, ValueLike


class Token:
    """Follows one beat, whichever, through a first-in-first-out queue.

    If the beat comes out in its place in the order and unchanged, whichever it is, then none is
    lost, doubled, swapped or altered.

    Parameters
    ----------
    m : Module
    chosen : Signal
        An input of the solver's: the beat that enters in this clock is followed, if none is yet.
    enters, leaves : value-like
        A beat goes in; the oldest one goes out.
    payload : value-like
        Of the beat that enters.
    most : int
        Beats inside at most.

    Attributes
    ----------
    inside : Signal
        The beat is in the queue.
    ahead : Signal
        Beats that leave before it.
    count : Signal
        Beats in the queue.
    payload : Signal
        What went in.
    left : Signal
        It went out.
    """

    def __init__(
        self,
        m: Module,
        *,
        chosen: Signal,
        enters: ValueLike,
        leaves: ValueLike,
        payload: ValueLike,
        most: int,
    ) -> None:
        width = len(Value.cast(payload))
        self.count, self.ahead = Signal(range(most + 1)), Signal(range(most + 1))
        self.inside, self.left, self.payload = Signal(), Signal(), Signal(width)
        m.d.sync += self.count.eq(self.count + enters - leaves)
        with m.If(enters & chosen & ~self.inside & ~self.left):
            m.d.sync += [
                self.inside.eq(1),
                self.ahead.eq(self.count - leaves),
                self.payload.eq(payload),
            ]
        with m.If(self.inside & leaves):
            m.d.sync += self.ahead.eq(Mux(self.ahead == 0, 0, self.ahead - 1))
            with m.If(self.ahead == 0):
                m.d.sync += [self.inside.eq(0), self.left.eq(1)]

    @property
    def is_next(self) -> Value:
        """The beat is the oldest one in the queue."""
        return self.inside & (self.ahead == 0)
