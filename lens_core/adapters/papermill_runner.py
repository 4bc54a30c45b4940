"""Notebooks through papermill, with a deadline of their own and no failure hidden."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from lens_core.errors import InvalidInput
from lens_core.ports import NotebookOutcome


class PapermillRunner:
    """Keeps the ``NotebookRunner`` port; times in seconds. ``assets`` holds scripts that HTML shares."""

    def __init__(self, assets: Path, cell_timeout_s: float, start_timeout_s: float) -> None:
        self._assets = assets
        self._cell_timeout_s = cell_timeout_s
        self._start_timeout_s = start_timeout_s

    def run(self, source: Path, target: Path, parameters: Mapping[str, str], deadline_s: float) -> NotebookOutcome:
        """See ``NotebookRunner``."""
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="lens-nb-") as folder:
            answer = Path(folder) / "answer.json"
            request = {
                "source": str(source),
                "target": str(target),
                "parameters": dict(parameters),
                "cell_timeout_s": max(1, round(min(self._cell_timeout_s, deadline_s))),
                "start_timeout_s": round(self._start_timeout_s),
                "assets": str(self._assets),
                "answer": str(answer),
            }
            log = _run_child(json.dumps(request), deadline_s + self._start_timeout_s)
            if log is None:
                return NotebookOutcome(completed=False, reason=f"it was ended after its deadline of {deadline_s:.0f} s")
            if not answer.exists():
                return NotebookOutcome(completed=False, reason=f"papermill itself failed: {log[-800:].strip()}")
            said = json.loads(answer.read_bytes())
        if said["refused"]:
            raise InvalidInput(said["reason"], f"see the parameters cell of {source.name}")
        return NotebookOutcome(completed=not said["reason"], reason=said["reason"] or "every cell completed")


def _run_child(request: str, deadline_s: float) -> str | None:
    """What the child wrote on standard error; None when its deadline passed."""
    command = [sys.executable, "-m", "lens_core.adapters.papermill_child"]
    environment = {**os.environ, "PLOTLY_RENDERER": "plotly_mimetype", "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            env=environment,
            start_new_session=True,
        ) as child,
    ):
        try:
            if child.stdin is not None:
                child.stdin.write(request.encode() + b"\n")
                child.stdin.flush()  # and left open: the child ends when it closes
            child.wait(timeout=deadline_s)
        except BrokenPipeError:
            child.wait()
        except subprocess.TimeoutExpired:
            child.kill()
            return None
        except BaseException:
            child.kill()
            raise
        errors.seek(0)
        return errors.read().decode(errors="replace")
