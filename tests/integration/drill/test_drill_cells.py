"""Real previous versions in processes of their own: what the drill must find, and what must turn exactly which cell."""

import json
import os
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

import pytest
from drilling import questions, write_tree

from lens_core.adapters.drill_bench import ProcessBench
from lens_core.adapters.drill_cells import ENGINE_CELLS
from lens_core.adapters.engine_homes import EngineHomes
from lens_core.drills.drill import Drilled, DrillRules, RollbackSafe
from lens_core.drills.engine_judges import JUDGES
from lens_core.drills.ports import Case, HungUp, OldIndex
from lens_core.drills.previous import parse_previous
from lens_core.model import Verdict
from tests.places import PROJECT, image_cache

KNOWN = {p.version: p for p in parse_previous((PROJECT / "data/previous/versions.toml").read_text(encoding="utf-8"))}
CELLS = {cell.name: cell for cell in ENGINE_CELLS}
_RUN = (
    "import runpy, sys; sys.path.insert(0, sys.argv[1]); sys.argv = sys.argv[2:]; "
    "runpy.run_path(sys.argv[0], run_name='__main__')"
)
DATES = """
import sys, tantivy
from datetime import datetime, timezone
schema = tantivy.SchemaBuilder()
schema.add_text_field("path", stored=True, tokenizer_name="raw", index_option="basic")
schema.add_date_field("changed", stored=True)
index = tantivy.Index(schema.build(), path=sys.argv[1])
writer = index.writer(heap_size=50_000_000, num_threads=1)
for number in range(20):
    document = tantivy.Document()
    document.add_text("path", f"a{number}.py")
    document.add_date("changed", datetime(2025, 1, 1 + number, tzinfo=timezone.utc))
    writer.add_document(document)
writer.commit()
writer.wait_merging_threads()
"""


@dataclass(frozen=True)
class TreeHome:
    """The engine below ``site`` with the packages of this environment: today's, or a crooked copy of it."""

    site: Path = PROJECT
    version: str = "1.0.0"
    tantivy: str = "0.27.0"

    def command(self, script):
        """See ``Home``."""
        return (sys.executable, "-I", "-c", _RUN, str(self.site), str(script))


@pytest.fixture(scope="module")
def homes():
    """Homes of previous versions, from the shared cache."""
    return EngineHomes(PROJECT / "data/previous", image_cache())


@pytest.fixture(scope="module")
def built(homes, tmp_path_factory):
    """What 0.9.0 and 0.9.2 index of a dozen files."""
    found = {}
    for version in ("0.9.0", "0.9.2"):
        folder = tmp_path_factory.mktemp(version)
        home = homes.of(KNOWN[version], print)
        made = ProcessBench(60).engine(home).ask("build", source=write_tree(folder / "tree"), index=folder / "index")
        assert made["said"] == {"documents": 12, "files": 12}
        found[version] = (home, OldIndex(folder / "index", folder / "tree", questions(), None, "built"))
    return found


def drilled(built, version, folder, names, candidate=None):
    """What the named cells come to against a version, really run."""
    home, old_index = built[version]
    new = candidate or TreeHome()
    previous, about = Drilled(version, home.tantivy, "b" * 64), Drilled("1.0.0", new.tantivy, "a" * 64)
    found = {}
    for name in names:
        bench, scratch = ProcessBench(60), folder / name
        scratch.mkdir()
        case = Case(name, previous, bench.engine(home), bench.engine(new), old_index, scratch, 10)
        facts = json.loads(json.dumps(CELLS[name].observe(case, print)))
        found[name] = JUDGES[name](facts, previous, about, DrillRules())
    return found


def test_0_9_0_is_read_and_migrated_and_goes_back_by_the_copy_only(built, tmp_path):
    """What tantivy 0.22.2 wrote: all promises hold but going back in place, for it refuses the format of 0.27.0."""
    found = drilled(built, "0.9.0", tmp_path, CELLS)
    verdicts = {name: one.verdict for name, one in found.items()}
    assert verdicts == {**dict.fromkeys(CELLS, Verdict.PASS), "rollback": Verdict.WAIVED}, found
    rollback = found["rollback"]
    assert (rollback.safe, rollback.copy_first) == (RollbackSafe.NO, True)
    assert "Library version: 6, index version: 7" in rollback.reason
    assert "by the copy" in found["roll_forward"].reason


def test_0_9_2_goes_back_in_place(built, tmp_path):
    """What tantivy 0.25.1 wrote and 0.27.0 extended, 0.25.1 goes on with, and writes into for 0.27.0 to go on."""
    found = drilled(built, "0.9.2", tmp_path, ("rollback", "roll_forward"))
    assert found["rollback"].safe is RollbackSafe.YES
    assert [one.verdict for one in found.values()] == [Verdict.PASS, Verdict.PASS]
    assert "in place" in found["roll_forward"].reason


def test_dates_that_a_merge_corrupts_turn_exactly_the_merge_red(built, tmp_path):
    """Merging turns stored dates of tantivy 0.22 into 1970 from 0.24 on: writing is right, merging is red."""
    home, _ = built["0.9.0"]
    index, script = tmp_path / "dates", tmp_path / "dates.py"
    index.mkdir()
    script.write_text(DATES, encoding="utf-8")
    code, _, errors = ProcessBench(60).run([*home.command(script), str(index)], b"", "dates")
    assert code == 0, errors
    dated = {"0.9.0": (home, OldIndex(index, None, questions(), None, "built"))}
    found = drilled(dated, "0.9.0", tmp_path, ("write", "merge"))
    assert (found["write"].verdict, found["merge"].verdict) == (Verdict.PASS, Verdict.FAIL)
    assert "merging gave other contents: of 20 documents some stored field is another one" in found["merge"].reason


def crooked(folder, file, before, after):
    """Today's engine with one change in one of its files."""
    shutil.copytree(PROJECT / "lens_core/engine", folder / "lens_core/engine", ignore=lambda *_: ["__pycache__"])
    (folder / "lens_core/__init__.py").touch()
    place = folder / "lens_core/engine" / file
    text = place.read_text(encoding="utf-8")
    assert text.count(before) == 1
    place.write_text(text.replace(before, after), encoding="utf-8")
    return TreeHome(folder)


def test_an_analyzer_that_changed_under_the_same_name_turns_exactly_the_analyzer_red(built, tmp_path):
    """Other stems under an unchanged fingerprint: nothing refuses the index, and only the analyzer's cell sees it."""
    was = built["0.9.2"][0]
    named = ProcessBench(60).engine(was).ask("analyzer", index=built["0.9.2"][1].index)["said"]["named"]
    changed = "    return word if word == 'studies' else str(_stemmer().stemWord(word))"
    home = crooked(tmp_path, "analyzer.py", "    return str(_stemmer().stemWord(word))", changed)
    place = tmp_path / "lens_core/engine/analyzer.py"
    text = place.read_text(encoding="utf-8")
    place.write_text(text + f'\n\ndef fingerprint() -> str:\n    return "{named}"\n', encoding="utf-8")
    (tmp_path / "cells").mkdir()
    found = drilled(built, "0.9.2", tmp_path / "cells", ("read", "query_parity", "analyzer"), home)
    assert [one.verdict for one in found.values()] == [Verdict.PASS, Verdict.PASS, Verdict.FAIL], found
    assert "under the same fingerprint: words" in found["analyzer"].reason


def test_a_stored_field_that_is_dropped_is_refused_before_anything_is_lost(built, tmp_path):
    """An engine that no longer stores a field answers from no index that does: reading is red, not silently less."""
    before, after = (
        '    builder.add_bytes_field("scope", stored=True)',
        '    builder.add_bytes_field("scope", indexed=True)',
    )
    home = crooked(tmp_path, "store.py", before, after)
    (tmp_path / "cells").mkdir()
    found = drilled(built, "0.9.2", tmp_path / "cells", ("read", "analyzer", "write"), home)
    assert [one.verdict.name for one in found.values()] == ["FAIL", "PASS", "PASS"], found
    assert "IndexRefused (schema)" in found["read"].reason


@pytest.fixture
def script(tmp_path):
    """Writes a worker that does as it is told."""

    def write(text):
        place = tmp_path / "worker.py"
        place.write_text(text, encoding="utf-8")
        return place

    return write


def test_a_process_that_hangs_is_killed_with_all_it_started(script, tmp_path):
    """After its time nothing of it runs any more."""
    note = tmp_path / "pid"
    hangs = script(
        "import pathlib, subprocess, sys\n"
        "p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        f"pathlib.Path({str(note)!r}).write_text(str(p.pid))\np.wait()\n"
    )
    with pytest.raises(HungUp, match="did not end within 1 s") as hung:
        ProcessBench(1.0, worker=hangs).engine(TreeHome()).ask("contents")
    assert hung.value.timed_out
    assert _gone(int(note.read_text()))


def test_a_bench_that_is_stopped_ends_what_runs_and_begins_nothing(script):
    """Ctrl-C from another thread: whoever waits is told, and asks for nothing more."""
    bench = ProcessBench(60.0, worker=script("import sys, time; sys.stdin.read(); time.sleep(600)"))
    said = []

    def ask():
        try:
            bench.engine(TreeHome()).ask("contents")
        except HungUp as error:
            said.append(str(error))

    asking = Thread(target=ask)
    asking.start()
    while not bench._running:
        time.sleep(0.01)
    bench.stop()
    asking.join(30)
    assert said == ["contents by 1.0.0 was broken off"]
    with pytest.raises(HungUp, match="not begun"):
        bench.engine(TreeHome()).ask("contents")


DEATHS = {
    "kills-itself": ("import os; os.kill(os.getpid(), 9)", r"died \(-9\): without a word"),
    "says-something-else": ("print('hello')", r"died \(0\)"),
    "throws": ("raise RuntimeError('boom')", "boom"),
}


@pytest.mark.parametrize(("text", "words"), DEATHS.values(), ids=DEATHS)
def test_a_process_that_dies_says_so(script, text, words):
    """A worker that is killed, throws or speaks otherwise has crashed: it saw nothing."""
    with pytest.raises(HungUp, match=words) as died:
        ProcessBench(60.0, worker=script(text)).engine(TreeHome()).ask("contents")
    assert not died.value.timed_out


def _gone(pid):
    """Whether a process is over; it may take the kernel a moment to say so."""
    for _ in range(500):
        try:
            os.kill(pid, 0)
            if "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text(encoding="ascii"):
                return True
        except (ProcessLookupError, FileNotFoundError):
            return True
        time.sleep(0.01)
    return False
