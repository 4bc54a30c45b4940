"""How long verifying an audit log takes, as a ledger and as an export: ``python -m bench.audit [entries]``.

Writes a log as the ledger does (real entries, a real key, heads kept at intervals) into a folder that is removed
afterwards, and prints seconds and entries a second of each way to verify it, and how much memory it took.
"""

import resource
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lens_core.adapters.audit_reader import exported_line
from lens_core.adapters.ledger_file import LedgerFile
from lens_core.audit import GENESIS, Anchor, Entry, Kept, head_of, signed_bytes
from lens_core.audit_bootstrap import verify_file
from lens_core.supply.signatures import key_id

T = TypeVar("T")
_START = datetime(2026, 11, 24, 2, tzinfo=UTC)
_KEPT_EVERY = 100
_WORDS = ("alert.opened", "alert.resolved", "night.slice", "night.answers", "statement.comment")


def entries(count: int, key: Ed25519PrivateKey) -> Iterator[Kept]:
    """A log of ``count`` entries, a fifth of which say what the ledger holds."""
    head, name = GENESIS, key_id(key.public_key().public_bytes_raw())
    for number in range(1, count + 1):
        at = _START + timedelta(seconds=number)
        record, facts = f"sha256:{number:064x}", {"alert": f"tail/backend/python/small/{number}", "severity": "error"}
        subject, what = "sha256:" + "a" * 64, _WORDS[number % len(_WORDS)]
        entry = Entry(number, at, "ada", what, subject, "P99/P95 was 2.41, above 2.00", head, record, facts)
        content = entry.encode()
        head = head_of(content)
        yield Kept(number, content, head, name, key.sign(signed_bytes(head)))


def timed(what: str, count: int, work: Callable[[], T]) -> T:
    """Print how long ``work`` takes, on the clock and on the processor."""
    began, cpu = time.perf_counter(), time.process_time()
    done = work()
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    sys.stdout.write(f"{what:24}{seconds:8.2f} s ({cpu:.2f} s of a core){count / seconds:12,.0f} entries/s\n")
    return done


def write(folder: Path, count: int, key: Ed25519PrivateKey) -> list[Anchor]:
    """The log as a ledger and as an export; the heads that were kept."""
    LedgerFile(folder / "lens.db")
    anchors = []
    with closing(sqlite3.connect(folder / "lens.db")) as connection, (folder / "log.jsonl").open("wb") as export:
        insert = "INSERT INTO audit_entry (number, content, head, key, signature) VALUES (?, ?, ?, ?, ?)"
        for kept in entries(count, key):
            connection.execute(insert, kept)
            export.write(exported_line(kept))
            if kept.number % _KEPT_EVERY == 0:
                anchors.append(Anchor(kept.number, kept.head, _START, kept.key, kept.signature))
        connection.commit()
    return anchors


def main(count: int) -> None:
    """Write a log of ``count`` entries, and verify it in every way."""
    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes_raw()
    keys = {key_id(public): public}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        anchors = timed("write", count, lambda: write(folder, count, key))
        for file in (folder / "log.jsonl", folder / "lens.db"):
            said = timed(f"verify {file.name}", count, partial(verify_file, file, keys, anchors))
            if said.faults or said.entries != count:
                raise SystemExit(f"expected a log that stands, saw {said.faults}")
        with closing(sqlite3.connect(folder / "lens.db")) as connection:
            connection.execute("UPDATE audit_entry SET head = head || '0' WHERE number = ?", (count,))
            connection.commit()
        found = timed("find a bad last entry", count, partial(verify_file, folder / "lens.db", keys, anchors))
        if found.first_bad != count:
            raise SystemExit(f"expected entry {count} to be named, saw {found.first_bad}")
    sys.stdout.write(f"most memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB\n")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
