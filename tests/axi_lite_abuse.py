"""An AXI4-Lite manager without manners: any address, any strobes, both channels at any time."""

from __future__ import annotations

import random

from darb.golden.register_map import ADDRESS_BITS, REGISTERS

OKAY, SLVERR, DECERR = 0, 2, 3
MOST_CLOCKS = 60
"""After which an answer that has not come counts as a hang; no pause of this manager is as long."""
_LEGAL = {address >> 2: name for name, address in REGISTERS.items()}


def register_at(address: int) -> str | None:
    """Return the register that an address reaches, its two lowest bits left out."""
    return _LEGAL.get(address >> 2)


def pauses(rng: random.Random, names: tuple[str, ...]) -> dict[str, int]:
    return {name: rng.choice((0, 0, 0, 1, 2, 5)) for name in names}


async def read(ctx, engine, address: int, rng: random.Random) -> tuple[int, int]:
    """Return data and response; address and readiness come after pauses of their own."""
    wait = pauses(rng, ("ar", "r"))
    asked = False
    for clock in range(MOST_CLOCKS):
        ctx.set(engine.s_axil_araddr, address if not asked else rng.randrange(1 << ADDRESS_BITS))
        ctx.set(engine.s_axil_arprot, rng.randrange(8))
        ctx.set(engine.s_axil_arvalid, not asked and clock >= wait["ar"])
        ctx.set(engine.s_axil_rready, clock >= wait["ar"] + wait["r"])
        takes = not asked and clock >= wait["ar"] and ctx.get(engine.s_axil_arready)
        if ctx.get(engine.s_axil_rvalid) and ctx.get(engine.s_axil_rready):
            assert asked, "an answer that nobody asked for"
            answer = ctx.get(engine.s_axil_rdata), ctx.get(engine.s_axil_rresp)
            await ctx.tick()
            ctx.set(engine.s_axil_rready, 0)
            return answer
        await ctx.tick()
        asked = asked or bool(takes)
    raise AssertionError(f"no answer to a read of 0x{address:02x}")


async def write(ctx, engine, address: int, data: int, strobe: int, rng: random.Random) -> int:
    """Return the response; address, data and readiness come in any order, or at once."""
    wait = pauses(rng, ("aw", "w", "b"))
    have = {"aw": False, "w": False}
    for clock in range(MOST_CLOCKS):
        for name, signals in (
            ("aw", {"awaddr": address, "awprot": rng.randrange(8)}),
            ("w", {"wdata": data, "wstrb": strobe}),
        ):
            for signal, value in signals.items():
                # Whatever stands there without valid means nothing.
                held = getattr(engine, f"s_axil_{signal}")
                ctx.set(held, rng.getrandbits(len(held)) if have[name] else value)
            ctx.set(getattr(engine, f"s_axil_{name}valid"), not have[name] and clock >= wait[name])
        ctx.set(engine.s_axil_bready, clock >= wait["b"])
        takes = [
            name
            for name in have
            if not have[name]
            and clock >= wait[name]
            and ctx.get(getattr(engine, f"s_axil_{name}ready"))
        ]
        if ctx.get(engine.s_axil_bvalid) and ctx.get(engine.s_axil_bready):
            assert all(have.values()), "an answer that nobody asked for"
            response = ctx.get(engine.s_axil_bresp)
            await ctx.tick()
            ctx.set(engine.s_axil_bready, 0)
            return response
        await ctx.tick()
        have.update(dict.fromkeys(takes, True))
    raise AssertionError(f"no answer to a write of 0x{address:02x}")
