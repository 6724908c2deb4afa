"""``darb boards``: the boards, their chips, and how much of a network each one holds."""

from __future__ import annotations

import typer


def boards() -> None:
    """List the boards: chip, capacity, clock, and the largest network of LeNet's kind that fits."""
    from darb.hw.boards import BOARDS
    from darb.sw.cli.screen import show_next, show_table
    from darb.sw.largest_lenet import largest_lenet

    rows = []
    for board in BOARDS.values():
        chip, largest = board.capacity, largest_lenet(board)
        rows.append(
            (
                board.name,
                chip.name,
                f"{chip.luts:,}",
                f"{chip.multipliers:,}",
                f"{chip.memory_bits:,}",
                f"{board.engine_clock_hz / 1e6:g}",
                f"{largest.width:,}" if largest.width else "none",
            )
        )
    headings = ("board", "chip", "LUT", "mult.", "RAM bits", "MHz", "W")
    show_table(rows, title="Boards", headings=headings, numbers=range(2, 7))
    bauds = {board.baud for board in BOARDS.values()}
    show_next(
        "LUT: look-up tables. mult.: hard multipliers. RAM bits: of block RAM. MHz: clock that an "
        "engine is expected to reach.",
        "W: the largest network that fits by estimate is 784-W-W/3-10, with 8-bit weights of which "
        "one in 16 is kept, on one multiplier.",
        f"UART: {', '.join(f'{baud:,}' for baud in sorted(bauds))} baud on every board.",
    )
    typer.echo("")
    for board in BOARDS.values():
        typer.echo(f"{board.name}: {board.title}{'. ' + board.note if board.note else ''}")
    show_next("", "Next: darb plan DIR --board NAME")
