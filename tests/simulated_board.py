"""A board in a simulator, behind a pseudo-terminal that the client opens like any serial port."""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path

from frame_transcript import transcript

from darb.golden import EngineConfig, Image, Storage
from darb.golden.bitfields import to_hex
from darb.golden.memory_map import memory_shapes
from darb.hw.board_core import BoardCore
from darb.hw.cocotb_runner import build, run_cocotb
from darb.hw.simulators import find_simulator
from darb.hw.verilog import TOP, VERILOG, component_verilog

DIVISOR, TIMEOUT = 4, 2000
TRANSCRIPT_VARIABLE = "DARB_TRANSCRIPT"
"""Names a directory that the transcripts of the simulated lines are written to."""


class SimulatedBoard:
    """Compiled once; a context manager that powers it and returns the name of its port.

    Parameters
    ----------
    directory : Path
    simulator : str
    config : EngineConfig
    image : Image, optional
        With storage `rom`; without it the storage is `ram`.
    memory_check : bool
        Its engine can check its memories.
    """

    def __init__(
        self,
        directory: Path,
        simulator: str,
        config: EngineConfig,
        image: Image | None = None,
        *,
        memory_check: bool = False,
    ) -> None:
        storage = Storage.RAM if image is None else Storage.ROM
        self._powered = 0
        self.directory, self.tool = directory, find_simulator(simulator)
        directory.mkdir()
        core = BoardCore(
            config=config,
            storage=storage,
            memory_check=memory_check,
            clock_hz=1_000_000 * DIVISOR,
            baud=1_000_000,
            timeout=TIMEOUT,
        )
        (directory / VERILOG).write_text(component_verilog(core, TOP))
        for name, words in ({} if image is None else image.memories).items():
            width = memory_shapes(config)[name][1]
            (directory / f"{name}.mem").write_bytes(to_hex(words, width))
        build(directory, self.tool)

    def __enter__(self) -> str:
        files = {name: self.directory / name for name in ("port", "stop", "log")}
        self._powered += 1
        for path in files.values():
            path.unlink(missing_ok=True)
        job = self.directory / "job.json"
        job.write_text(
            json.dumps(
                {
                    "divisor": DIVISOR,
                    "timeout": TIMEOUT,
                    **{name: str(path) for name, path in files.items()},
                }
            )
        )
        self._files, self._failure = files, []

        def body() -> None:
            try:
                with self.tool.active():
                    run_cocotb(
                        self.directory,
                        self.tool,
                        module="board_bench",
                        environment={"BOARD_JOB": str(job)},
                    )
            except Exception as error:
                self._failure.append(error)

        self._thread = threading.Thread(target=body)
        self._thread.start()
        while self._thread.is_alive() and not files["port"].exists():
            time.sleep(0.05)
        if not files["port"].exists():
            self._thread.join()
            raise self._failure[0]
        return files["port"].read_text()

    def __exit__(self, *exception: object) -> None:
        self._files["stop"].touch()
        self._thread.join()
        if self._failure:
            raise self._failure[0]
        if os.environ.get(TRANSCRIPT_VARIABLE):
            folder = Path(os.environ[TRANSCRIPT_VARIABLE])
            folder.mkdir(parents=True, exist_ok=True)
            name = f"{self.directory.parent.name}-{self._powered}.txt"
            (folder / name).write_text(self.transcript())

    def transcript(self) -> str:
        """Return what went over the line while the board was last powered."""
        return transcript(json.loads(self._files["log"].read_text()), gap=TIMEOUT)
