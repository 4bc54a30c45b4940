"""Runs one act of Lens in a process of its own, and ends it by SIGKILL at any one of its boundaries.

Boundaries are found, not picked: begin, commit and rollback of every writing transaction, before and after; every head
that was kept elsewhere; every file that is put in its place by a rename. A process that has loaded
everything forks one child for each run, so that hundreds of deaths take seconds.
"""

import json
import os
import pickle
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # a fork keeps no threads
sys.path.insert(0, str(Path(__file__).parent))

import pyarrow.parquet
import scipy.stats
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cutting import CuttingHouse
from fakes import FakeClock, build_house, digest_of
from signing import HANDS, Room
from sqlalchemy import Engine, event
from sqlalchemy.engine.default import DefaultDialect

from lens_core.adapters.audit_log import Trail
from lens_core.adapters.fencing import NIGHT, SqlLeases
from lens_core.adapters.ledger_file import LedgerFile
from lens_core.adapters.sql_ledger import SqlLedger
from lens_core.errors import LensError
from lens_core.model import Candidate
from lens_core.night import NightRequest
from lens_core.signoff.statement import decode
from lens_core.signoff.words import Act, Role

WAIVED = {
    "vulnerability": "CVE-2026-1",
    "purl": "pkg:pypi/thing@1.0",
    "state": "not_affected",
    "grounds": "code_not_reachable",
}


class Boundaries:
    """Counts boundaries in this process, and ends it at the one with the number ``last``."""

    def __init__(self, last: int | None) -> None:
        self.seen: list[str] = []
        self._last = last
        self._writing: set[int] = set()

    def at(self, what: str) -> None:
        """Here is one."""
        if self._last == len(self.seen):
            os.kill(os.getpid(), signal.SIGKILL)
        self.seen.append(what)

    def watch(self) -> None:
        """Watch every engine, every trail and every rename of this process."""
        event.listen(Engine, "begin", self._begun)
        for name in ("do_commit", "do_rollback"):
            self._around(DefaultDialect, name, lambda _dialect, proxied: id(proxied.dbapi_connection) in self._writing)
        self._around(Trail, "anchor", lambda *_given: True, before=False)  # before it is after the commit
        sys.addaudithook(
            lambda what, given: self.at(f"rename {Path(str(given[1])).name}") if what == "os.rename" else None
        )

    def _begun(self, connection: Any) -> None:
        driver = id(connection.connection.dbapi_connection)
        if connection.get_execution_options().get("writes"):
            self._writing.add(driver)
            self.at("begin")
        else:
            self._writing.discard(driver)

    def _around(self, owner: type, name: str, counts: Callable[..., bool], *, before: bool = True) -> None:
        real = getattr(owner, name)

        def around(*given: Any) -> None:
            told = counts(*given)
            if told and before:
                self.at(f"before {name}")
            real(*given)
            if told:
                self.at(f"after {name}")
                self._writing.clear()  # what the pool rolls back afterwards is nothing

        setattr(owner, name, around)


# --- what is done -----------------------------------------------------------------------------------


def cut(folder: Path) -> str:
    """Cut a candidate."""
    key = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
    release = CuttingHouse(folder / "home", key=key).cut()
    return f"{release.version} {release.manifest}"


def night(folder: Path) -> str:
    """Run a night."""
    return build_house(folder / "home").lens.nightly_validation(NightRequest(0.1)).night_id


def record(folder: Path) -> str:
    """Record the statement that was signed beforehand."""
    signed = pickle.loads((folder / "signed").read_bytes())  # noqa: S301  (our own)
    return Room(folder).desk.record(signed).digest


def migrate(folder: Path) -> str:
    """Open a ledger that an earlier Lens wrote."""
    return str(len(SqlLedger(folder / "home" / "lens.db").nights()))


def sign(folder: Path) -> str:
    """Prepare ``record``: what is to be signed is named in the folder."""
    act = Act((folder / "act").read_text())
    room = Room(folder)
    if act is Act.REVOKE:
        approval = room.say(Act.APPROVE, Role.QA)
        content = room.draft(act, Role.QA, refers=approval.digest)
    elif act is Act.WAIVE:
        content = room.draft(act, Role.SECURITY, waived=WAIVED)
    else:
        content = room.draft(act, Role.QA)
    (folder / "signed").write_bytes(pickle.dumps(HANDS[decode(content).person].sign(content)))
    return "signed"


def crowd(folder: Path) -> str:
    """One of many who write at once: some of it everybody's, some of it this one's own."""
    ledger, leases = SqlLedger(folder / "home" / "lens.db"), SqlLeases(folder / "home" / "lens.db")
    moment = FakeClock().now()
    said = []
    ledger.add_candidate(Candidate("1.0", digest_of("shared"), "c" * 40, dirty=False), moment)
    for number in range(3):
        name = f"{os.getpid()}.{number}"
        ledger.add_candidate(Candidate(name, digest_of(name), digest_of(name).hex[:40], dirty=False), moment)
        said.append(str(leases.take(NIGHT, name, moment)))
    return " ".join(said)


def open_only(folder: Path) -> str:
    """Make the ledger."""
    LedgerFile(folder / "home" / "lens.db")
    return ""


# Loaded before anything forks: a night would load them at its first use, each time anew.
LOADED = (pyarrow.parquet, scipy.stats)
ACTS = {one.__name__: one for one in (cut, night, record, migrate, sign, crowd, open_only)}


# --- the process that forks -------------------------------------------------------------------------


def _child(act: str, folder: Path, last: int | None) -> int:
    """Run the act in a fork; its exit code, or minus the signal that ended it."""
    pid = os.fork()
    if pid:
        return pid
    boundaries = Boundaries(last)
    try:
        boundaries.watch()
        said = {"said": ACTS[act](folder)}
    except LensError as error:
        said = {"error": type(error).__name__, "message": error.message}
    except BaseException:  # noqa: BLE001  (a fork must not go on with its parent's work)
        said = {"error": "a bug", "message": traceback.format_exc()}
    answer = folder / f"answer.{os.getpid()}"
    answer.write_text(json.dumps({**said, "boundaries": boundaries.seen}))
    os._exit(0)


def _serve() -> None:
    for line in sys.stdin:
        asked = json.loads(line)
        folder = Path(asked["folder"])
        folder.mkdir(parents=True, exist_ok=True)
        pids = [_child(asked["act"], folder, asked["last"]) for _ in range(asked["count"])]
        answers = []
        for pid in pids:
            code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            answer = folder / f"answer.{pid}"
            answers.append({"code": code, **(json.loads(answer.read_text()) if answer.exists() else {})})
            answer.unlink(missing_ok=True)
        sys.stdout.write(json.dumps(answers) + "\n")
        sys.stdout.flush()


@dataclass(frozen=True)
class Died:
    """How a run ended: ``said`` when it did its work, ``error`` and ``message`` when it was refused."""

    code: int
    said: str = ""
    error: str = ""
    message: str = ""
    boundaries: tuple[str, ...] = ()


class Zygote:
    """Forks a process for each run that is asked for."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def run(self, act: str, folder: Path, last: int | None = None) -> Died:
        """Run the act once, to its end or to the boundary with the number ``last``."""
        [died] = self.many(act, folder, 1, last)
        return died

    def many(self, act: str, folder: Path, count: int, last: int | None = None) -> list[Died]:
        """Run it in ``count`` processes at once."""
        asked = {"act": act, "folder": str(folder), "last": last, "count": count}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        found = json.loads(self._process.stdout.readline())
        return [Died(**{**one, "boundaries": tuple(one.get("boundaries", ()))}) for one in found]


@contextmanager
def zygote() -> Iterator[Zygote]:
    """A process that has loaded everything."""
    command = [sys.executable, __file__]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield Zygote(process)
        assert process.stdin is not None
        process.stdin.close()


if __name__ == "__main__":
    _serve()
