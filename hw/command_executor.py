"""Carries out a host's commands on the engine's AXI ends and makes the replies."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from darb.golden.config import EngineConfig, OutputMode
from darb.golden.frame import (
    COUNTER_REGISTERS,
    ERROR_REPLY,
    IDENTIFY_REGISTERS,
    PROTOCOL_VERSION,
    REPLY,
    Command,
    ErrorCode,
)
from darb.golden.memory_map import address_bits
from darb.golden.register_map import (
    ADDRESS_BITS,
    CHECK_REGISTERS,
    CONTROL,
    REGISTERS,
    STATUS,
)
from darb.hw.axi_engine import axi_engine_ports
from darb.hw.axi_lite_manager import AxiLiteManager
from darb.hw.axi_lite_registers import axi_lite_ports
from darb.hw.frame_receiver import frame_layout
from darb.hw.frame_sender import reply_layout

_WORD_BYTES = 4
_PATIENCE = 3
# Where the bytes of a reply come from.
_HEADER, _CONSTANT, _REGISTER, _RESULT = range(4)


def engine_signature(config: EngineConfig) -> wiring.Signature:
    """Return the ports of `AxiEngine` but its clock and reset."""
    ports = axi_engine_ports(config)
    return wiring.Signature(
        {name: port for name, port in ports.items() if name not in ("aclk", "aresetn")}
    )


def _number(name: str) -> int:
    """Return a register's address in words."""
    return {**REGISTERS, **CHECK_REGISTERS}[name] >> 2


class CommandExecutor(wiring.Component):
    """Takes one frame after another, works on the engine, and makes one reply for each.

    docs/protocol.md says what the commands do. A vector goes to the engine only when it is whole,
    of the right length, and the engine takes it. If no result comes for three pulses of `second`,
    the answer is `not_ready`, and so is that to any further vector until a `boot`; what the engine
    gives meanwhile is dropped. A result that stops, or ends elsewhere than its announced length, is
    filled up to that length, gets a wrong CRC, and has the same consequences.

    A byte of the buffer takes three clocks. A byte of the reply stands in the clock in which it is
    taken, and no command waits for the host.

    Parameters
    ----------
    config : EngineConfig
    capacity : int
        Bytes of payload of the longest frame.
    memory_check : bool
        The engine can check its memories; else `check` is no command.

    Attributes
    ----------
    frames : In(stream.Signature(frame_layout(capacity)))
    release, read_en, read_address : Out
    read_data : In
        See `FrameReceiver`.
    engine : In(engine_signature(config))
        To the ports of these names.
    reply : Out(stream.Signature(reply_layout()))
    second : In(1)
        High for one clock, about once a second.
    busy : Out(1)
        A frame is at hand.
    answers : Out(1)
        A reply begins.
    failed : Out(1)
        It tells an error.
    """

    def __init__(self, *, config: EngineConfig, capacity: int, memory_check: bool = False) -> None:
        self._config, self._capacity = config, capacity
        self._commands = [each for each in Command if memory_check or each is not Command.CHECK]
        self._frame = Signal(frame_layout(capacity))
        # Bytes of the payload that were read; whether they were all.
        self._position, self._at_end = Signal(range(capacity + 1)), Signal()
        self._register = Signal(ADDRESS_BITS - 2)
        # Of the payload, in the header; behind it, those that follow the one at hand.
        self._reply_bytes = Signal(16)
        # Bytes come in at the top, where a beat and a register's value end.
        self._gathered = Signal(8 * max(config.lanes, _WORD_BYTES))
        self._stuck, self._given_up = Signal(), Signal()
        # Frames that the receiver found broken hold no half of its buffer.
        self._holds = Signal()
        self._is = {each: Signal(name=f"is_{each.name.lower()}") for each in self._commands}
        super().__init__(
            {
                "frames": In(stream.Signature(frame_layout(capacity))),
                "release": Out(1),
                "read_en": Out(1),
                "read_address": Out(address_bits(capacity)),
                "read_data": In(8),
                "engine": In(engine_signature(config)),
                "reply": Out(stream.Signature(reply_layout())),
                "second": In(1),
                "busy": Out(1),
                "answers": Out(1),
                "failed": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Build the executor."""
        m = Module()
        m.submodules.registers = registers = AxiLiteManager()
        for name in axi_lite_ports("axil"):
            inner, outer = getattr(registers, f"m_{name}"), getattr(self.engine, f"s_{name}")
            outward = registers.signature.members[f"m_{name}"].flow is Out
            m.d.comb += outer.eq(inner) if outward else inner.eq(outer)
        waited = Signal(range(_PATIENCE + 1))
        m.d.comb += [
            *(signal.eq(self._frame.command == command) for command, signal in self._is.items()),
            self._given_up.eq(waited == _PATIENCE),
            registers.register.eq(self._register),
            registers.value.eq(self._gathered[-8 * _WORD_BYTES :]),
            self.engine.s_axis_tdata.eq(self._gathered[-8 * self._config.lanes :]),
            self.engine.s_axis_tlast.eq(self._at_end),
            self.read_address.eq(self._position),
            self._at_end.eq(self._position == self._frame.length),
            self.engine.m_axis_tready.eq(self._stuck),
        ]
        m.d.sync += waited.eq(waited + (self.second & ~self._given_up))
        with m.FSM() as fsm:
            m.d.comb += self.busy.eq(~fsm.ongoing("idle"))
            with m.State("idle"):
                m.d.comb += self.frames.ready.eq(1)
                m.d.sync += [
                    self._frame.eq(self.frames.payload),
                    self._holds.eq(self.frames.payload.error == 0),
                    self._position.eq(0),
                    waited.eq(0),
                ]
                with m.If(self.frames.valid):
                    m.next = "dispatch"
            with m.State("dispatch"):
                self._dispatch(m)
            with m.State("check"):
                self._check(m, registers)
            with m.State("write"):
                self._write(m, registers)
            self._gather_states(m)
            with m.State("beat"):
                m.d.comb += self.engine.s_axis_tvalid.eq(1)
                with m.If(self.engine.s_axis_tready):
                    m.next = "fetch"
                    with m.If(self._at_end):
                        m.next = "wait"
                with m.Elif(self._given_up):
                    self._give_up(m)
            with m.State("wait"):
                with m.If(self.engine.m_axis_tvalid):
                    m.next = "reply"
                with m.Elif(self._given_up):
                    self._give_up(m)
            with m.State("reply"):
                self._reply(m, registers, waited)
        # Outside of the states: so the flip-flops' own resets and enables do it, without logic.
        with m.If(fsm.ongoing("idle")):
            m.d.sync += self._gathered.eq(0)
        with m.Elif(fsm.ongoing("shift")):
            m.d.sync += self._gathered.eq(Cat(self._gathered[8:], self.read_data))
        return m

    def _fail(self, m: Module, code: ErrorCode) -> None:
        m.d.sync += self._frame.error.eq(code)
        m.next = "reply"

    def _give_up(self, m: Module) -> None:
        m.d.sync += self._stuck.eq(1)
        self._fail(m, ErrorCode.NOT_READY)

    def _dispatch(self, m: Module) -> None:
        """Begin the command, unless its frame is broken or has a wrong length."""
        registers = {
            Command.IDENTIFY: IDENTIFY_REGISTERS[0],
            Command.INFER: "status",
            Command.COUNTERS: COUNTER_REGISTERS[0],
            Command.LOAD: "control",
            Command.BOOT: "control",
            Command.CHECK: "control",
        }
        states = {
            Command.INFER: "check",
            Command.LOAD: "write",
            Command.BOOT: "write",
            Command.CHECK: "write",
        }
        sizes = {
            Command.IDENTIFY: _WORD_BYTES * (1 + len(IDENTIFY_REGISTERS)),
            Command.COUNTERS: _WORD_BYTES * len(COUNTER_REGISTERS),
            Command.BOOT: _WORD_BYTES * len(COUNTER_REGISTERS),
            Command.CHECK: _WORD_BYTES,
        }
        m.next = "reply"
        with m.If(self._frame.error == 0), m.Switch(self._frame.command):
            for command in self._commands:
                with m.Case(command):
                    m.d.sync += [
                        self._register.eq(_number(registers[command])),
                        self._reply_bytes.eq(sizes.get(command, 0)),
                    ]
                    m.next = states.get(command, "reply")
                    if command is Command.LOAD:
                        wrong = self._at_end | self._frame.length[:2].any()
                    elif command is Command.CHECK:
                        wrong = self._frame.length != _WORD_BYTES
                    else:
                        # That of a vector is for the engine to know.
                        wrong = ~self._at_end & (command is not Command.INFER)
                    with m.If(wrong):
                        self._fail(m, ErrorCode.BAD_LENGTH)
            with m.Default():
                self._fail(m, ErrorCode.UNKNOWN_COMMAND)

    def _check(self, m: Module, registers: AxiLiteManager) -> None:
        """Read what `infer` must know before a beat is sent, and `boot` before it answers."""
        config, value = self._config, registers.data
        booted, differs = value[STATUS["booted"]], value[STATUS["version_differs"]]
        m.d.comb += [registers.read.eq(1), registers.finish.eq(registers.done)]
        with m.If(registers.done), m.Switch(self._register):
            with m.Case(_number("status")):
                with m.If(self._is[Command.BOOT]):
                    # What still comes would be taken for the next vector's result.
                    comes = value[STATUS["busy"]] | self.engine.m_axis_tvalid
                    with m.If(booted & ~comes):
                        m.d.sync += self._stuck.eq(0)
                        m.next = "reply"
                    with m.Elif(self._given_up):
                        self._fail(m, ErrorCode.NOT_READY)
                with m.Else():
                    m.d.sync += self._register.eq(_number("input_beats"))
                    with m.If(~booted | differs | self._stuck):
                        self._fail(m, ErrorCode.NOT_READY)
            with m.Case(_number("input_beats")):
                m.d.sync += self._register.eq(_number("outputs"))
                with m.If(self._frame.length != value[:16] << config.lanes.bit_length() - 1):
                    self._fail(m, ErrorCode.BAD_LENGTH)
            if Command.CHECK in self._is:
                with m.Case(_number("check")):
                    with m.If(value == 0):
                        m.d.sync += self._register.eq(_number("check_crc"))
                        m.next = "reply"
                    with m.Elif(self._given_up):
                        self._fail(m, ErrorCode.NOT_READY)
            with m.Default():
                rows = 1 if config.output_mode is OutputMode.ARGMAX else value[:16]
                m.d.sync += self._reply_bytes.eq(rows << config.output_bytes.bit_length() - 1)
                m.next = "fetch"

    def _write(self, m: Module, registers: AxiLiteManager) -> None:
        """Write what was gathered; at first 0 or, for `load`, halt to the control register."""
        to_control = self._register == _number("control")
        halts, first_place = to_control & self._is[Command.LOAD], _number("load_place")
        checks = self._is.get(Command.CHECK)
        if checks is not None:
            halts = to_control & (self._is[Command.LOAD] | checks)
            first_place = Mux(checks, _number("check"), first_place)
        first = len(self._gathered) - 8 * _WORD_BYTES
        m.d.comb += [
            registers.write.eq(1),
            registers.finish.eq(registers.done),
            registers.value[CONTROL["halt"]].eq(self._gathered[first + CONTROL["halt"]] | halts),
        ]
        with m.If(registers.done):
            m.d.sync += self._register.eq(_number("load_data"))
            m.next = "fetch"
            # An engine without a control register refuses this write, and has nothing to let go.
            with m.If(self._is[Command.BOOT]):
                m.d.sync += self._register.eq(_number("status"))
                m.next = "check"
            with m.Elif(registers.refused):
                self._fail(m, ErrorCode.REFUSED)
            with m.Elif(halts):
                m.d.sync += self._register.eq(first_place)
            with m.Elif(self._at_end):
                m.next = "reply"
                if checks is not None:
                    with m.If(checks):
                        m.d.sync += self._register.eq(_number("check"))
                        m.next = "check"

    def _gather_states(self, m: Module) -> None:
        """Take the bytes of a beat, or of a value to write, out of the buffer."""
        lanes = self._config.lanes
        count = Signal(range(len(self._gathered) // 8))
        whole = Mux(
            self._is[Command.INFER],
            (count & lanes - 1) == lanes - 1,
            (count & _WORD_BYTES - 1) == _WORD_BYTES - 1,
        )
        with m.State("fetch"):
            m.d.comb += self.read_en.eq(1)
            m.next = "read"
        with m.State("read"):
            m.next = "shift"
        with m.State("shift"):
            m.d.sync += [
                self._position.eq(self._position + 1),
                count.eq(Mux(whole, 0, count + 1)),
            ]
            m.next = "fetch"
            with m.If(whole):
                m.next = "write"
                with m.If(self._is[Command.INFER]):
                    m.next = "beat"

    def _reply(self, m: Module, registers: AxiLiteManager, waited: Signal) -> None:
        """Make the reply, byte for byte, each word as the engine offers it."""
        frame, engine = self._frame, self.engine
        source, index = Signal(2), Signal(range(_WORD_BYTES))
        error = frame.error != 0
        ends_word, ends_reply, available, taken = Signal(), Signal(), Signal(), Signal()
        infers, ends_result = Signal(), Signal()
        constant = Cat(Const(PROTOCOL_VERSION, 16), Const(self._capacity, 16))
        words = [
            Cat(
                Mux(error, 1, self._reply_bytes),
                Mux(error, ERROR_REPLY, frame.command | REPLY)[:8],
                frame.tag,
            ),
            Mux(error, frame.error, constant)[:32],
            registers.data,
            Cat(engine.m_axis_tdata, Const(0, 32))[:32],
        ]
        m.d.comb += [
            self.reply.valid.eq(available),
            self.reply.payload.data.eq(Cat(*words).word_select(Cat(index, source), 8)),
            self.reply.payload.last.eq(ends_reply),
            self.reply.payload.spoiled.eq(infers & (self._stuck | ~ends_result)),
            taken.eq(available & self.reply.ready),
            available.eq(1),
            ends_word.eq(index == _WORD_BYTES - 1),
            ends_reply.eq(ends_word & ~error & (self._reply_bytes == 0)),
            infers.eq(~error & self._is[Command.INFER]),
            self.answers.eq(taken & (source == _HEADER) & (index == 0)),
            self.failed.eq(error),
        ]
        with m.Switch(source):
            with m.Case(_CONSTANT):
                with m.If(error):
                    m.d.comb += ends_reply.eq(1)
            with m.Case(_REGISTER):
                m.d.comb += [
                    registers.read.eq(1),
                    registers.finish.eq(taken & ends_word),
                    available.eq(registers.done),
                ]
            with m.Case(_RESULT):
                m.d.comb += [
                    ends_word.eq(index == self._config.output_bytes - 1),
                    ends_result.eq(engine.m_axis_tlast),
                    engine.m_axis_tready.eq(self._stuck | (self.reply.ready & ends_word)),
                    available.eq(self._stuck | engine.m_axis_tvalid),
                ]
                with m.If(self._given_up & ~engine.m_axis_tvalid):
                    m.d.sync += self._stuck.eq(1)
        with m.If(taken):
            m.d.sync += [index.eq(Mux(ends_word, 0, index + 1)), waited.eq(0)]
            with m.If(ends_word | (source != _HEADER)):
                m.d.sync += self._reply_bytes.eq(self._reply_bytes - 1)
        with m.If(taken & ends_word):
            with m.If(infers & (ends_reply != ends_result)):
                m.d.sync += self._stuck.eq(1)
            with m.If(source == _HEADER):
                m.d.sync += source.eq(_REGISTER)
                with m.If(error | self._is[Command.IDENTIFY]):
                    m.d.sync += source.eq(_CONSTANT)
                with m.Elif(self._is[Command.INFER]):
                    m.d.sync += source.eq(_RESULT)
            with m.If(source == _CONSTANT):
                m.d.sync += source.eq(_REGISTER)
            with m.If(source == _REGISTER):
                m.d.sync += self._register.eq(self._register + 1)
        with m.If(taken & ends_reply):
            m.d.comb += self.release.eq(self._holds)
            m.d.sync += [source.eq(_HEADER), index.eq(0)]
            m.next = "idle"
