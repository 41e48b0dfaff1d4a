"""The service as a process of its own, on a free port, as a user starts it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Self


class Service:
    """A service, for a ``with`` statement that begins when it is ready and ends it.

    Args:
        process: Which writes its log to its standard output.

    Attributes:
        process: See above.
        lines: Its log.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []
        self._ready = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @classmethod
    def start(cls, folder: Path, *options: str) -> Self:
        """``python -m tkre.serving.api FOLDER`` with more options."""
        command = [sys.executable, "-m", "tkre.serving.api", str(folder), "--port", "0", *options]
        return cls(
            subprocess.Popen(
                command,
                text=True,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env={"OMP_NUM_THREADS": "1"} | os.environ,
            )
        )

    def __enter__(self) -> Self:
        if not self._ready.wait(120) or self.process.poll() is not None:
            self.process.kill()
            raise AssertionError("the service did not start:\n" + "\n".join(self.lines[-20:]))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.stop()

    @property
    def url(self) -> str:
        """Where it listens."""
        return str(self.events("listening")[0]["url"])

    def events(self, name: str) -> list[dict[str, Any]]:
        """Log lines of one event."""
        lines = [json.loads(line) for line in self.lines if line.startswith("{")]
        return [line for line in lines if line["event"] == name]

    def stop(self, how: signal.Signals = signal.SIGTERM, within: float = 30) -> int:
        """Tells it to stop; its exit code."""
        self.process.send_signal(how)
        try:
            return self.process.wait(within)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        finally:
            self._reader.join(5)
            self.process.stdout.close()  # type: ignore[union-attr]

    def _read(self) -> None:
        for line in self.process.stdout:  # type: ignore[union-attr]
            self.lines.append(line.rstrip("\n"))
            if '"event": "ready"' in line:
                self._ready.set()
        self._ready.set()
