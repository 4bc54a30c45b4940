"""Damages copies of an index and lets a candidate's engine open each: what the cell ``integrity`` sees.

One process of the candidate opens many copies, so that hundreds take seconds; when it dies or hangs that is what is
said of the copy at hand, and another takes its place. A few copies go through its commands, each in a process of its
own, as they would be met in production.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from selectors import EVENT_READ, DefaultSelector
from typing import Any, Self

from lens_core.adapters import damage_worker
from lens_core.drills.index_damage import Damage
from lens_core.drills.index_integrity import examine
from lens_core.errors import Unavailable

WORKER = Path(damage_worker.__file__)
"""The script to run in a candidate's home."""
_REFUSED = 5
"""What the engine's commands end with when they refuse an index."""
_SHOWN = 300
_PLACE = "INDEX"

Try = dict[str, Any]


def read_index(folder: Path) -> dict[str, bytes]:
    """Every file of an index but its locks, by its path below ``folder``."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.suffix != ".lock")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


class DamagedIndexes:
    """Copies of one index, damaged one way after the other and opened by ``command`` (which runs ``WORKER``).

    ``scratch`` is a folder to work in; whatever is not answered within ``timeout_s`` hung.
    """

    def __init__(self, command: Sequence[str], scratch: Path, *, timeout_s: float = 20.0) -> None:
        self._command = tuple(command)
        self._folder = scratch / "damaged"
        self._timeout_s = timeout_s

    def observe(
        self,
        index: Path,
        questions: Sequence[Mapping[str, Any]],
        damages: Iterable[Damage],
        through: Iterable[tuple[str, Damage]] = (),
    ) -> dict[str, Any]:
        """The observation that ``judge_integrity`` reads; ``through`` pairs commands with damages to meet them.

        ``index`` is copied and left alone. Unavailable when the disk fails.
        """
        files, control, tries = read_index(index), {}, list[Try]()
        try:
            self._copy(files)
            with _Opener(self._command, self._timeout_s) as opener:
                whole = self._open(opener, questions)
                control["open"] = _against(whole, whole)
                for damage in damages:
                    with self._damaged(files, damage):
                        tries.append(_try("open", damage, _against(self._open(opener, questions), whole)))
            query = next((str(question["query"]) for question in questions), "")
            said = {door: self._run(door, query) for door in ("search", "serve")}
            control |= {door: _against(one, one) for door, one in said.items()}
            for door, damage in through:
                with self._damaged(files, damage):
                    tries.append(_try(door, damage, _against(self._run(door, query), said[door])))
        except OSError as error:
            raise Unavailable(f"cannot damage a copy of {index}: {error}", "free some disk") from error
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)
        untouched = {door: {"door": door, "kind": "untouched", "file": "", **one} for door, one in control.items()}
        return {"control": untouched, "findings": [str(one) for one in examine(files)], "tries": tries}

    def _copy(self, files: Mapping[str, bytes]) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
        for name, content in files.items():
            self._put(name, content)

    @contextmanager
    def _damaged(self, files: Mapping[str, bytes], damage: Damage) -> Iterator[None]:
        for name, content in damage.put.items():
            self._put(name, content)
        try:
            yield
        finally:
            for name in damage.put:
                self._put(name, files.get(name))

    def _put(self, name: str, content: bytes | None) -> None:
        """A new file under the name: what somebody may still have mapped of the old one stays as it is."""
        path = self._folder / name
        if content is None:
            path.unlink(missing_ok=True)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = self._folder.with_name("beside")
        beside.write_bytes(content)
        beside.replace(path)

    def _open(self, opener: "_Opener", questions: Sequence[Mapping[str, Any]]) -> Try:
        return self._nameless(opener.ask({"index": str(self._folder), "questions": [dict(one) for one in questions]}))

    def _run(self, door: str, query: str) -> Try:
        """One engine command over the folder as it is."""
        asked = (query, "--json") if door == "search" else ("--until-stdin-closes",)
        command = (*self._command, door, *asked, "--index", str(self._folder))
        try:
            ended = subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=self._timeout_s
            )
        except subprocess.TimeoutExpired:
            return {"outcome": "hung"}
        words = ended.stderr.decode(errors="replace").strip()
        if ended.returncode == 0 and ended.stdout:
            return _said(door, ended.stdout)
        if ended.returncode == _REFUSED and words.startswith("error: ") and "Traceback" not in words:
            reason = words.removeprefix("error: ").split("\nhint: ")[0]
            return self._nameless({"outcome": "refused", "at": "open", "code": "", "reason": reason[:_SHOWN]})
        outcome = "crashed" if ended.returncode < 0 else "failed"
        return self._nameless({"outcome": outcome, "reason": f"exit code {ended.returncode}: {words[-_SHOWN:]}"})

    def _nameless(self, one: Try) -> Try:
        """Reasons do not tell where the copy stood: equal damages are described in equal words."""
        return one | ({"reason": str(one["reason"]).replace(str(self._folder), _PLACE)} if "reason" in one else {})


class _Opener:
    """The candidate's process, started again when it has died or had to be killed."""

    def __init__(self, command: Sequence[str], timeout_s: float) -> None:
        self._command = tuple(command)
        self._timeout_s = timeout_s
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_raised: object) -> None:
        self._end()

    def ask(self, request: Mapping[str, Any]) -> Try:
        """What it says of an index, or how it ended instead."""
        process = self._running()
        if process.stdin is None or process.stdout is None:  # pragma: no cover  (PIPE was asked for)
            return {"outcome": "crashed", "reason": "no pipe"}
        try:
            process.stdin.write(json.dumps(request).encode() + b"\n")
            process.stdin.flush()
        except OSError:  # it died on its way here
            return {"outcome": "crashed", "reason": f"exit code {self._end()}"}
        with DefaultSelector() as selector:
            selector.register(process.stdout, EVENT_READ)
            if not selector.select(self._timeout_s):
                self._end()
                return {"outcome": "hung"}
        try:
            said: Try = json.loads(process.stdout.readline())
        except ValueError:
            return {"outcome": "crashed", "reason": f"exit code {self._end()}"}
        return said

    def _running(self) -> "subprocess.Popen[bytes]":
        if self._process is None:
            environment = {**os.environ, "RUST_BACKTRACE": "0"}
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=environment,
            )
        return self._process

    def _end(self) -> int:
        """Kill it where it still runs; its exit code."""
        process, self._process = self._process, None
        if process is None:
            return 0
        with process:  # closes its pipes, and waits
            if process.stdin is not None and process.poll() is None:
                process.kill()
        return process.returncode


def _said(door: str, output: bytes) -> Try:
    """What a command answered: where a service listens differs each time, that it listens is the answer."""
    if door == "serve":
        return {"outcome": "answered", "digest": "listening" if b'"listening"' in output else ""}
    try:
        return {"outcome": "answered", "digest": output.decode(), "hits": int(json.loads(output)["total"])}
    except (KeyError, TypeError, ValueError) as error:
        return {"outcome": "failed", "reason": f"no answer in JSON: {error}"}


def _try(door: str, damage: Damage, one: Try) -> Try:
    return {"door": door, "kind": damage.kind, "file": damage.file, "place": damage.place, **one}


def _against(one: Try, whole: Try) -> Try:
    """An answer with ``same`` in place of its digest: whether it is the one of the untouched index, and not empty."""
    if one["outcome"] != "answered":
        return one
    same = bool(one["digest"]) and one["digest"] == whole.get("digest") and one.get("hits", 1) > 0
    return {"outcome": "answered", "same": same}
