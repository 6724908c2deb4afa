"""The engine: image memories, sequencer, decoder, banks, multipliers, post-processor, streams."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from darb.golden.bitfields import Words
from darb.golden.config import EngineConfig, OutputMode
from darb.golden.memory_map import FORMAT_VERSION, HEADER, LAYER_WORD_BITS, memory_shapes
from darb.golden.pipeline import (
    ADDRESS,
    DECODE,
    FETCH,
    GATHER,
    MULTIPLY,
    POST,
    reduce_latency,
)
from darb.golden.register_map import LOAD_MEMORY, Storage
from darb.hw.activation_banks import ActivationBanks
from darb.hw.arg_max import ArgMax
from darb.hw.block_index_decoder import AHEAD, BlockIndexDecoder
from darb.hw.delay_line import delay
from darb.hw.dot_product import Accumulator, DotProduct
from darb.hw.image_loader import memory_write_signature
from darb.hw.memory import LoadableRom, Rom, walk
from darb.hw.memory_checker import memory_read_signature
from darb.hw.output_buffer import OutputBuffer, output_layout
from darb.hw.row_post_processor import RowPostProcessor, row_struct
from darb.hw.row_queue import RowQueue
from darb.hw.section_fetch import bank_address_bits
from darb.hw.sequencer import Sequencer
from darb.hw.vector_loader import VectorLoader, input_layout


def output_shape(config: EngineConfig) -> signed | unsigned:
    """Return the shape of one output word."""
    return {
        OutputMode.ACTIVATIONS: signed(config.activation_bits),
        OutputMode.ACCUMULATORS: signed(config.accumulator_bits),
        OutputMode.ARGMAX: unsigned(16),
    }[config.output_mode]


class Engine(wiring.Component):
    """A sparse matrix-vector engine of ``lanes * rows`` multipliers, one step a clock.

    Takes vectors on `i`, sends results on `o`, both in order; two vectors fit each end. When every
    beat of either stream is transferred is what `darb.golden.timeline` says.

    Parameters
    ----------
    config : EngineConfig
    memories : dict of str to ndarray of uint8, optional
        The image's memories, for Amaranth's simulator; generated Verilog reads them from files.
        Only with storage `rom`.
    storage : Storage
        With `ram` the image memories are zero at first and written through `load`.
    memory_check : bool
        The image memories can be read through `check`.

    Attributes
    ----------
    i : In(stream.Signature(input_layout(config)))
        Beat b carries stored column s * L + b of every lane s. Nothing is taken where the image's
        format version is not the engine's.
    o : Out(stream.Signature(output_layout(output_shape(config))))
        One row a beat, in row order.
    booted, busy, stalled : Out(1)
    header, digest : Out
        See `Sequencer`.
    vector_done : Out(1)
        The last result of a vector was written.
    too_short, too_long : Out(1)
        See `VectorLoader`.
    load : In(memory_write_signature(config))
        With storage `ram` alone; to be used while the engine is in reset.
    check : In(memory_read_signature(config))
        With the memory check alone; to be used while the engine is in reset.

    Raises
    ------
    TypeError
        If `config` is no `EngineConfig`, `storage` no `Storage`, or `memory_check` no bool.
    ValueError
        If `memories` are given with storage `ram`.
    """

    def __init__(
        self,
        *,
        config: EngineConfig,
        memories: dict[str, Words] | None = None,
        storage: Storage = Storage.ROM,
        memory_check: bool = False,
    ) -> None:
        if not isinstance(config, EngineConfig):
            raise TypeError(f"config must be an EngineConfig, not {config!r}")
        if not isinstance(storage, Storage):
            raise TypeError(f"storage must be a Storage, not {storage!r}")
        if not isinstance(memory_check, bool):
            raise TypeError(f"memory_check must be a bool, not {memory_check!r}")
        if memories is not None and storage is Storage.RAM:
            raise ValueError(f"memories must be None with storage ram, not {[*memories]!r}")
        self._config, self._memories, self._storage = config, memories or {}, storage
        self._memory_check = memory_check
        load = {"load": In(memory_write_signature(config))} if storage is Storage.RAM else {}
        check = {"check": In(memory_read_signature(config))} if memory_check else {}
        super().__init__(
            {
                "i": In(stream.Signature(input_layout(config))),
                "o": Out(stream.Signature(output_layout(output_shape(config)))),
                "booted": Out(1),
                "busy": Out(1),
                "stalled": Out(1),
                "header": Out(data.StructLayout(HEADER)),
                "digest": Out(LAYER_WORD_BITS),
                "vector_done": Out(1),
                "too_short": Out(1),
                "too_long": Out(1),
                **load,
                **check,
            }
        )

    def _rom(self, m: Module, name: str) -> wiring.PureInterface:
        """Return the engine's read port of a memory: `en`, `addr` and `data`, two clocks later."""
        memory = self._memory(m, name)
        if not self._memory_check:
            return memory
        signature = {"en": Out(1), "addr": Out(len(memory.addr)), "data": In(len(memory.data))}
        port = wiring.Signature(signature).create(path=(name,))
        check = self.check
        m.d.comb += [
            memory.en.eq(Mux(check.active, check.en[LOAD_MEMORY[name]], port.en)),
            memory.addr.eq(Mux(check.active, check.addr[: len(memory.addr)], port.addr)),
            port.data.eq(memory.data),
            getattr(check, name).eq(memory.data),
        ]
        return port

    def _memory(self, m: Module, name: str) -> Rom | LoadableRom:
        depth, width = memory_shapes(self._config)[name]
        if self._storage is Storage.RAM:
            m.submodules[name] = loadable = LoadableRom(width=width, depth=depth)
            m.d.comb += [
                loadable.w_en.eq(self.load.en[LOAD_MEMORY[name]]),
                loadable.w_addr.eq(self.load.addr),
                loadable.w_data.eq(getattr(self.load, name)),
            ]
            return loadable
        words = self._memories.get(name, ())
        init = [int.from_bytes(word.tobytes(), "little") for word in words]
        m.submodules[name] = rom = Rom(width=width, depth=depth, file=f"{name}.mem", init=init)
        return rom

    def elaborate(self, platform: object) -> Module:
        """Connect the parts, each delay from `darb.golden.pipeline`."""
        m = Module()
        config = self._config
        m.submodules.sequencer = sequencer = Sequencer(config=config)
        m.submodules.loader = loader = VectorLoader(config=config)
        m.submodules.banks = banks = ActivationBanks(config=config)
        layers = self._rom(m, "layers")
        connect(m, flipped(self.i), loader.i)
        m.d.comb += [
            layers.en.eq(sequencer.layer_en),
            layers.addr.eq(sequencer.layer_addr),
            sequencer.layer_word.eq(layers.data),
            # An image of another format would be computed with, but not as it means.
            loader.enable.eq(sequencer.booted & (sequencer.header.version == FORMAT_VERSION)),
            sequencer.waiting.eq(loader.waiting),
            loader.take.eq(sequencer.take),
            loader.release.eq(sequencer.release),
            banks.load_en.eq(loader.load_en),
            banks.load_half.eq(loader.load_half),
            banks.load_addr.eq(loader.load_addr),
            banks.load_data.eq(loader.load_data),
            self.booted.eq(sequencer.booted),
            self.busy.eq(sequencer.busy),
            self.stalled.eq(sequencer.stalled),
            self.header.eq(sequencer.header),
            self.digest.eq(sequencer.digest),
            self.too_short.eq(loader.too_short),
            self.too_long.eq(loader.too_long),
        ]
        # Registered, for these are compared in a clock: the header stands before it is `booted`.
        m.d.sync += loader.last_beat.eq(sequencer.header.input_beats - 1)
        at_read = self._decode(m, sequencer.step, banks)
        at_sum, sums = self._multiply(m, at_read, banks)
        self._finish(m, at_sum, sums, sequencer, banks)
        return m

    def _decode(self, m: Module, step: data.View, banks: ActivationBanks) -> data.View:
        """From a step to its bank addresses; returns the step as it stands beside them."""
        config = self._config
        indices = self._rom(m, "indices")
        walk(m, indices, step.refill, step.final)
        m.submodules.decoder = decoder = BlockIndexDecoder(
            fields=config.multipliers,
            field_bits=config.index_word_bits,
            max_k=config.max_k,
            address_bits=bank_address_bits(config),
        )
        ahead = delay(m, step, FETCH - AHEAD, name="step_ahead")
        at_read = delay(m, ahead, AHEAD + DECODE + ADDRESS, name="step_at_read")
        m.d.comb += [
            decoder.word.as_value().eq(indices.data),
            decoder.step.eq(ahead.valid),
            decoder.refill.eq(ahead.refill),
            decoder.k.eq(ahead.k),
            decoder.base.eq(ahead.base),
            banks.read_addr.eq(decoder.address),
            banks.read_half.eq(at_read.read_half),
            banks.reads_input.eq(at_read.reads_input),
        ]
        return at_read

    def _multiply(
        self, m: Module, at_read: data.View, banks: ActivationBanks
    ) -> tuple[data.View, list[Signal]]:
        """From activations to each slot's sum; returns the step as it stands beside the sums."""
        config = self._config
        weights = self._rom(m, "weights")
        # The ROM is as fast as the banks, so its address may wait until the bank addresses stand.
        assert FETCH == GATHER
        walk(m, weights, at_read.valid, at_read.final)
        at_sum = delay(m, at_read, GATHER + MULTIPLY + reduce_latency(config), name="step_at_sum")
        lane_bits = config.lanes * config.weight_bits
        sums = []
        for r in range(config.rows):
            m.submodules[f"dot_{r}"] = dot = DotProduct(config=config)
            m.submodules[f"accumulator_{r}"] = accumulator = Accumulator(
                config=config, sum_shape=dot.sum.shape()
            )
            for s in range(config.lanes):
                m.d.comb += dot.activation[s].eq(banks.activation[r * config.lanes + s])
            m.d.comb += [
                dot.weight.as_value().eq(weights.data.word_select(r, lane_bits)),
                accumulator.step.eq(at_sum.valid),
                accumulator.first.eq(at_sum.first),
                accumulator.sum.eq(dot.sum),
            ]
            sums.append(accumulator.total)
        return at_sum, sums

    def _finish(
        self,
        m: Module,
        at_sum: data.View,
        totals: list[Signal],
        sequencer: Sequencer,
        banks: ActivationBanks,
    ) -> None:
        """From accumulators, row after row, to the next layer's banks or the output buffer."""
        config = self._config
        rows = self._rom(m, "rows")
        m.submodules.queue = queue = RowQueue(config=config)
        m.submodules.post = post = RowPostProcessor(config=config)
        row = data.View(row_struct(config), rows.data)
        walk(m, rows, queue.fetch, queue.restart)
        m.d.comb += [
            queue.step.eq(at_sum),
            post.total.eq(queue.total),
            post.row.eq(row),
            post.relu.eq(queue.group.relu),
        ]
        for r, total in enumerate(totals):
            m.d.comb += queue.totals[r].eq(total)

        stored = queue.valid & row.store
        to_hidden = delay(m, stored & ~queue.group.writes_output, POST - 1, name="to_hidden")
        bank = delay(m, row.bank, POST - 1, name="bank", reset_less=True)
        # The bank is decoded a clock early, so that the write enables come from registers.
        m.d.sync += banks.write_en.eq(to_hidden << bank)
        half = delay(m, queue.group.write_half, POST, name="half", reset_less=True)
        address = delay(m, row.address, POST, name="address", reset_less=True)
        ends_vector = delay(m, queue.ends_vector, POST, name="ends_vector")
        requantised = config.output_mode is OutputMode.ACTIVATIONS
        result = post.activation if requantised else post.accumulator
        m.submodules.outputs = outputs = OutputBuffer(config=config, shape=result.shape())
        m.d.comb += [
            banks.write_half.eq(half),
            banks.write_addr.eq(address),
            banks.write_data.eq(post.activation),
            outputs.write_en.eq(
                delay(m, stored & queue.group.writes_output, POST, name="to_output")
            ),
            outputs.write_half.eq(half),
            outputs.write_addr.eq(address),
            outputs.write_data.eq(result),
            outputs.complete.eq(ends_vector),
            outputs.reserve.eq(sequencer.reserve),
            sequencer.output_free.eq(outputs.free),
            self.vector_done.eq(ends_vector),
        ]
        m.d.sync += outputs.last_address.eq(sequencer.header.outputs - 1)
        if config.output_mode is OutputMode.ARGMAX:
            m.submodules.arg_max = arg_max = ArgMax(config=config)
            connect(m, outputs.o, arg_max.i)
            connect(m, arg_max.o, flipped(self.o))
        else:
            connect(m, outputs.o, flipped(self.o))
