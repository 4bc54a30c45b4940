"""Runs engines in processes of their own: each answers once and ends in its time, or is killed with all it started."""

import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from time import perf_counter
from typing import Any

from lens_core.drills.ports import Facts, Home, HungUp

WORKER = Path(__file__).with_name("drill_worker.py")
_RUN_ENGINE = Path(__file__).with_name("engine_command.py")
_SHOWN = 600
_KILLED = -signal.SIGKILL


class ProcessBench:
    """Keeps the ``Bench`` port; ``step_s`` is how long one process may take, in seconds."""

    def __init__(self, step_s: float, worker: Path = WORKER) -> None:
        self._step_s = step_s
        self._worker = worker
        self._running: set[subprocess.Popen[bytes]] = set()
        self._lock = Lock()
        self._stopped = False

    def engine(self, home: Home) -> "HomeEngine":
        """See ``Bench``."""
        return HomeEngine(home, self, self._worker)

    def stop(self) -> None:
        """See ``Bench``."""
        with self._lock:
            self._stopped = True
            running = list(self._running)
        for process in running:
            _kill(process)

    def run(
        self, command: Sequence[str], request: bytes, what: str, kill_after_s: float | None = None
    ) -> tuple[int, bytes, bytes]:
        """The exit code, standard output and standard error of one process.

        HungUp when it takes longer than a step may, or when the bench was stopped. With ``kill_after_s`` it is
        killed then, and that is how it ended.
        """
        allowed = self._step_s if kill_after_s is None else min(kill_after_s, self._step_s)
        with tempfile.TemporaryFile() as errors, self._start(command, errors, what) as process:
            try:
                said, _ = process.communicate(request, timeout=allowed)
            except subprocess.TimeoutExpired:
                _kill(process)
                process.communicate()
                if kill_after_s is None or kill_after_s > self._step_s:
                    raise HungUp(f"{what} did not end within {allowed:g} s", timed_out=True) from None
                said = b""
            except BaseException:
                _kill(process)
                raise
            finally:
                with self._lock:
                    self._running.discard(process)
            if self._stopped:
                raise HungUp(f"{what} was broken off", timed_out=True)
            errors.seek(0)
            return process.returncode, said, errors.read()

    def _start(self, command: Sequence[str], errors: Any, what: str) -> "subprocess.Popen[bytes]":
        with self._lock:
            if self._stopped:
                raise HungUp(f"{what} was not begun: time is over", timed_out=True)
            process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, start_new_session=True
            )
            self._running.add(process)
            return process


class HomeEngine:
    """Keeps the ``Engine`` port for the engine in ``home``."""

    def __init__(self, home: Home, bench: ProcessBench, worker: Path = WORKER) -> None:
        self._home = home
        self._bench = bench
        self._worker = worker
        self.version = home.version
        self.tantivy = home.tantivy
        self.site = home.site

    def ask(self, op: str, **arguments: Any) -> Facts:
        """See ``Engine``."""
        request = {"op": op, **{name: str(v) if isinstance(v, Path) else v for name, v in arguments.items()}}
        what = f"{op} by {self.version}"
        code, said, errors = self._bench.run(self.command(self._worker), json.dumps(request).encode(), what)
        try:
            answer: Facts = json.loads(said)
        except ValueError as error:
            words = errors[-_SHOWN:].decode(errors="replace").strip()
            raise HungUp(f"{what} died ({code}): {words or 'without a word'}", timed_out=False) from error
        return answer

    def run(self, *arguments: str, kill_after_s: float | None = None) -> Facts:
        """See ``Engine``."""
        began, what = perf_counter(), f"{arguments[0]} by {self.version}"
        command = (*self.command(_RUN_ENGINE), *arguments)
        code, _, errors = self._bench.run(command, b"", what, kill_after_s)
        words = "" if code == 0 else errors[-_SHOWN:].decode(errors="replace").strip()
        return {"exit_code": code, "said": words, "killed": code == _KILLED, "seconds": perf_counter() - began}

    def command(self, script: Path) -> tuple[str, ...]:
        """See ``Engine``."""
        return self._home.command(script)


def _kill(process: "subprocess.Popen[bytes]") -> None:
    """With everything that it started: it leads a session of its own."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        process.kill()
