import random

from component_simulation import run_component

from darb.golden.frame import CRC_BYTES, Frame
from darb.hw.frame_sender import FrameSender


def test_frames_get_their_crc_whatever_the_pauses():
    rng = random.Random(4)
    frames = [Frame(rng.randrange(256), n, rng.randbytes(rng.randrange(20))) for n in range(12)]
    spoiled = [rng.random() < 0.3 for _ in frames]
    expected = b"".join(frame.encode() for frame in frames)
    sender, sent = FrameSender(), bytearray()

    async def source(ctx):
        for frame, spoils in zip(frames, spoiled, strict=True):
            body = frame.encode()[:-4]
            for place, byte in enumerate(body):
                for _ in range(rng.choice([0, 0, 30])):
                    await ctx.tick()
                ctx.set(sender.i.valid, 1)
                ctx.set(sender.i.payload.data, byte)
                ctx.set(sender.i.payload.last, place == len(body) - 1)
                ctx.set(sender.i.payload.spoiled, spoils)
                await ctx.tick().until(sender.i.ready)
                ctx.set(sender.i.valid, 0)

    async def sink(ctx):
        for _ in range(len(expected)):
            for _ in range(rng.choice([0, 0, 3, 40])):
                await ctx.tick()
            ctx.set(sender.o.ready, 1)
            (byte,) = await ctx.tick().sample(sender.o.payload).until(sender.o.valid)
            ctx.set(sender.o.ready, 0)
            sent.append(byte)

    run_component(sender, source, sink)
    for frame, spoils in zip(frames, spoiled, strict=True):
        encoded, body = frame.encode(), frame.encode()[:-CRC_BYTES]
        here, sent = sent[: len(encoded)], sent[len(encoded) :]
        assert here[: len(body)] == body
        assert (here != encoded) == spoils
    assert not sent
