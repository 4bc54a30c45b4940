"""Whatever an index is made to say, the engine refuses it with a reason or answers as before."""

import json
import subprocess
import sys
from collections import Counter

import pytest
from patched_engines import todays
from places import PROJECT

from lens_core.adapters.archives import unpack
from lens_core.adapters.damaged_indexes import WORKER, DamagedIndexes, read_index
from lens_core.drills.index_damage import Damage
from lens_core.drills.index_integrity import SCOPES, SEGMENT_KINDS, examine, formats
from study.index_mutants import KINDS, Specimen, forgeries, mutations
from study.index_mutations import COMMAND, QUESTIONS, guard_of, touches_no_body, try_all

COUNT = 252
SOURCES = {
    "a.py": "class Reader:\n    def read_name(self, path):\n        return open(path).name\n\n\n"
    "def index_file(x):\n    return x.name\n",
    "b.ts": "export class Box { name = 1; open(): string { return 'x'; } }\n",
}


@pytest.fixture(scope="module")
def specimen(tmp_path_factory):
    """Two indexes of today's engine, and where the first one lies."""
    folder, files = tmp_path_factory.mktemp("specimen"), []
    for name, some in (("index", SOURCES), ("other", {"a.py": SOURCES["a.py"]})):
        (folder / f"{name}-tree").mkdir()
        for path, text in some.items():
            (folder / f"{name}-tree" / path).write_text(text, encoding="utf-8")
        command = [*COMMAND, "index", str(folder / f"{name}-tree"), "--out", str(folder / name)]
        subprocess.run(command, check=True, capture_output=True)
        files.append(read_index(folder / name))
    return folder / "index", Specimen(*files)


def test_no_mutation_is_answered_wrongly(specimen, tmp_path):
    """Of 252 mutations none is answered otherwise, crashes or hangs; each kind was tried, each guard was needed."""
    index, made_of = specimen
    every = list(mutations(made_of, COUNT, seed=5))
    made = try_all(index, every, tmp_path)
    assert made.wrong == []
    assert made.refused_by.total() + made.harmless.total() == COUNT
    assert {name.split(",")[0] for name in made.tried} >= {one.kind.split(",")[0] for one in every}
    assert len(every) >= 10 * len(KINDS)
    guards = {"CRC of the manifest", "CRC or form of the footer", "schema", "tantivy", "counts", "list of files"}
    assert made.refused_by.keys() >= guards
    assert made.harmless.total() < COUNT / 10
    assert read_index(index) == dict(made_of.files), "the index itself was touched"


def test_mutations_are_the_same_for_the_same_seed(specimen):
    """A mutation that was found to be wrong can be made again."""
    one, two = (list(mutations(specimen[1], 60, seed=9)) for _ in range(2))
    assert one == two
    assert all(damage.done_to(specimen[1].files) != dict(specimen[1].files) for damage in one)


def test_forged_crcs_are_beyond_crcs(specimen, tmp_path):
    """Whoever writes body, footer and manifest anew is not found by CRCs: that is what signatures are for."""
    index, made_of = specimen
    every = list(forgeries(made_of, 24, seed=1))
    assert all(examine(damage.done_to(made_of.files)) == () for damage in every)
    assert not any(touches_no_body(made_of.files, damage) for damage in every)
    made = try_all(index, every, tmp_path)
    assert len(made.wrong) + made.refused_by.total() == len(every)
    assert made.wrong


@pytest.mark.parametrize(
    ("reason", "guard"),
    [
        ("size and CRC-32 of a.idx: expected", "CRC of the manifest"),
        ("a.idx: expected the CRC-32 1 of its footer", "CRC or form of the footer"),
        ("no such words", "another"),
    ],
    ids=["manifest", "footer", "unknown"],
)
def test_guards_are_told_apart_by_their_words(reason, guard):
    """What refused an index is counted by its reason; an unknown one is counted apart."""
    assert guard_of(reason) == guard


@pytest.mark.parametrize(("version", "number"), [("0.9.0", 6), ("0.9.1", 7), ("0.9.2", 7)])
def test_the_archived_indexes_are_whole(tmp_path, version, number):
    """What tantivy 0.22.2, 0.24.0 and 0.25.1 wrote has a footer in every segment's file, and no finding."""
    unpack(PROJECT / "data" / "previous" / f"{version}-index.tar.xz", tmp_path / "archive", lambda _path: True)
    files = read_index(tmp_path / "archive" / "index")
    assert examine(files) == ()
    assert len(formats(files)) == 2 * len(SEGMENT_KINDS)
    assert set(formats(files).values()) == {number}


def test_today_s_indexes_are_whole(specimen):
    """What tantivy 0.27.0 wrote has a footer in every segment's file, and no finding."""
    files = specimen[1].files
    assert examine(files) == ()
    assert Counter(formats(files).values()) == {7: 2 * len(SEGMENT_KINDS)}


NEVER_ANSWERS = """
import sys
for line in sys.stdin:
    if FAULT == "dies":
        sys.exit(3)
    if FAULT == "garbles":
        print("this is no JSON", flush=True)
"""


@pytest.mark.parametrize(("fault", "outcome"), [("hangs", "hung"), ("dies", "crashed"), ("garbles", "crashed")])
def test_a_candidate_that_dies_or_hangs_is_said_to(specimen, tmp_path, fault, outcome):
    """A process that gives no answer is ended; each damage then has an outcome of its own."""
    script = tmp_path / "candidate.py"
    script.write_text(f"FAULT = {fault!r}\n{NEVER_ANSWERS}", encoding="utf-8")
    damage = Damage("missing", "meta.json", "", {"meta.json": None})
    copies = DamagedIndexes((sys.executable, str(script)), tmp_path, timeout_s=0.3 if fault == "hangs" else 60.0)
    seen = copies.observe(specimen[0], [{"query": "name"}], [damage, damage])
    assert [one["outcome"] for one in seen["tries"]] == [outcome, outcome]
    assert seen["control"]["open"]["outcome"] == outcome


def test_a_panic_that_nobody_expected_is_not_taken_for_a_refusal(specimen, tmp_path):
    """An engine that lets tantivy's panics through is said to have failed, through its commands too."""
    guard = "    except BaseException as error:\n"
    home = todays(tmp_path / "panics", {"store": {guard: f"{guard}        raise\n"}})
    files = dict(specimen[1].files)
    damage = Damage("emptied", "meta.json", "", {"meta.json": b"{}"})
    manifest = json.loads(files["manifest.json"])
    manifest["files"]["meta.json"] = {"size_bytes": 2, "crc32": 2745614147}
    rewritten = Damage("emptied", "meta.json", "", {**damage.put, "manifest.json": json.dumps(manifest).encode()})
    copies = DamagedIndexes(home.command(WORKER), tmp_path)
    seen = copies.observe(specimen[0], QUESTIONS, [rewritten], [("search", rewritten), ("serve", rewritten)])
    assert [(one["door"], one["outcome"]) for one in seen["tries"]] == [
        ("open", "failed"),
        ("search", "failed"),
        ("serve", "failed"),
    ]
    assert SCOPES not in str(seen["control"])
