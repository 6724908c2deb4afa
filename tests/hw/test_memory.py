import pytest
from component_simulation import run_component

from darb.hw.memory import LoadableRom, Ram, Rom


def test_rom_takes_two_clocks_and_keeps_its_word_without_en():
    words = [3, 1, 4, 1, 5, 9]
    rom = Rom(width=4, depth=6, file="words.mem", init=words)

    async def bench(ctx):
        seen = []
        for address in range(6):
            ctx.set(rom.en, 1)
            ctx.set(rom.addr, address)
            await ctx.tick()
            seen.append(ctx.get(rom.data))
        ctx.set(rom.en, 0)
        ctx.set(rom.addr, 0)
        for _ in range(4):
            await ctx.tick()
            seen.append(ctx.get(rom.data))
        assert seen == [0, *words, 9, 9, 9]

    run_component(rom, bench)


def test_rom_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match=r"w\.mem: init must hold at most 2 words, not 3"):
        Rom(width=4, depth=2, file="w.mem", init=[1, 2, 3])
    with pytest.raises(ValueError, match=r"w\.mem: word 1 must fit 4 bits, not 16"):
        Rom(width=4, depth=2, file="w.mem", init=[1, 16])


def test_ram_reads_the_old_word_beside_a_write():
    ram = Ram(width=8, depth=4)

    async def bench(ctx):
        ctx.set(ram.r_en, 1)
        for number, expected in enumerate([0, 10, 11]):
            ctx.set(ram.w_en, 1)
            ctx.set(ram.w_addr, 2)
            ctx.set(ram.w_data, 10 + number)
            ctx.set(ram.r_addr, 2)
            await ctx.tick()
            assert ctx.get(ram.data) == expected
        ctx.set(ram.w_en, 0)
        ctx.set(ram.r_en, 0)
        ctx.set(ram.r_addr, 0)
        await ctx.tick()
        assert ctx.get(ram.data) == 11

    run_component(ram, bench)


def test_a_loadable_rom_reads_as_a_rom_what_was_written():
    words = [3, 1, 4, 1, 5, 9]
    rom = LoadableRom(width=4, depth=6)

    async def bench(ctx):
        ctx.set(rom.en, 1)
        await ctx.tick().repeat(2)
        assert ctx.get(rom.data) == 0
        ctx.set(rom.en, 0)
        ctx.set(rom.w_en, 1)
        for address, word in enumerate(words):
            ctx.set(rom.w_addr, address)
            ctx.set(rom.w_data, word)
            await ctx.tick()
        ctx.set(rom.w_en, 0)
        ctx.set(rom.w_data, 15)
        seen = []
        for address in range(6):
            ctx.set(rom.en, 1)
            ctx.set(rom.addr, address)
            await ctx.tick()
            seen.append(ctx.get(rom.data))
        ctx.set(rom.en, 0)
        ctx.set(rom.addr, 0)
        for _ in range(4):
            await ctx.tick()
            seen.append(ctx.get(rom.data))
        assert seen == [0, *words, 9, 9, 9]

    run_component(rom, bench)
