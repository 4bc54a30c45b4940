# ruff: noqa: INP001, T201  (a script, which says what it has done)
"""Makes what stands for the previous versions of the engine anew, from one commit of this repository.

::

    python data/previous/make.py COMMIT [VERSION …]

For each version it builds the wheel of that commit's engine, resolves the commit's own requirements with
the version's tantivy (hashes from the index that uv is configured for), unpacks both into a home, has the
engine in there index a small tree and answer golden questions, archives all of that, and writes
``versions.toml``. Wheels are the same bytes for the same commit; archives are not, as tantivy names its
segments at random, but the commit, the tree and the questions are.

The tree is what the commit has of ``lens_core/engine``, ``data/previous/sample`` and
``data/definitions/extract.mjs``. All three versions are of one commit: what differs between them is
tantivy, and with it the pins, the format of the index on disk and the ranking.
"""

import hashlib
import io
import json
import re
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from lens_core.adapters.engine_homes import EngineHome, EngineHomes
from lens_core.adapters.git_source import GitSource
from lens_core.cut_ports import Commit
from lens_core.drills.previous import Previous, parse_previous, render_previous, with_previous
from lens_core.drills.previous_files import ENGINE, engine_wheel, index_archive, wheel_name
from lens_core.questions import SourceFile, derive_questions
from lens_core.truth import read_python, strip

PREVIOUS = Path(__file__).parent
ROOT = PREVIOUS.parent.parent
TANTIVY = {"0.9.0": "0.22.2", "0.9.1": "0.24.0", "0.9.2": "0.25.1"}
TREE = {ENGINE: "engine/", "data/previous/sample/": "", "data/definitions/extract.mjs": "tools/extract.mjs"}
"""Where the tree comes from: a path of the repository, or the beginning of one → what takes its place."""
SEED = 5
PER_CLASS = 12
LIMIT = 50
BY_HAND: tuple[dict[str, Any], ...] = (
    {"query": "getUserName"},
    {"query": "get user name from the cache"},
    {"query": "fetchBasket", "language": "typescript"},
    {"query": "handleClick", "language": "svelte"},
    {"query": "$scope"},
    {"query": "日本語"},
    {"query": "naïveSum"},
    {"query": '"throw new Error("'},
    {"query": "sorted rows", "glob": "**/*.tsx"},
    {"query": "manifest", "symbols": True, "glob": "engine/*.py"},
    {"query": "index", "limit": 10},
    {"query": "index", "limit": 10, "offset": 10},
    {"query": "name name name"},
    {"query": "verify verify the manifest of an index"},
    {"query": "qzxwvjkqzx"},
)
"""What the five classes do not ask: other languages, filters, pages, repeated words (ranked otherwise since
tantivy 0.26), and what nobody wrote."""


def main(ref: str, versions: list[str]) -> None:
    """Make the given versions, or all, of the commit ``ref``."""
    source = GitSource(ROOT)
    commit = source.commit(ref)
    files = _files(source.archive(commit))
    toml = PREVIOUS / "versions.toml"
    known = parse_previous(toml.read_text(encoding="utf-8")) if toml.exists() else ()
    for version in versions or TANTIVY:
        previous = _make(version, commit, files)
        known = with_previous(known, previous)
        toml.write_text(render_previous(known), encoding="utf-8")
        print(f"{previous.tag}: tantivy {previous.tantivy}, index {(PREVIOUS / previous.index).stat().st_size:,} bytes")


def _make(version: str, commit: Commit, files: Mapping[str, bytes]) -> Previous:
    wheel, lock, index = wheel_name(version), f"{version}.lock", f"{version}-index.tar.xz"
    (PREVIOUS / wheel).write_bytes(engine_wheel(files, version, commit.epoch))
    (PREVIOUS / lock).write_text(_lock(files["requirements-engine.lock"].decode(), TANTIVY[version]), encoding="utf-8")
    unfinished = Previous(version, commit.commit, TANTIVY[version], wheel, _sha256(wheel), lock, _sha256(lock),
                          index, "0" * 64)  # fmt: skip
    home = EngineHomes(PREVIOUS, ROOT / "data" / "home" / "cache").of(unfinished, print)
    archive = index_archive(_old_index(home, files), f"lens-{version}", commit.epoch)
    (PREVIOUS / index).write_bytes(archive)
    return replace(unfinished, index_sha256=_sha256(index))


def _lock(requirements: str, tantivy: str) -> str:
    """The same pins with another tantivy, resolved and hashed anew."""
    pins = re.findall(r"^([A-Za-z0-9._-]+==\S+)", requirements, re.MULTILINE)
    wanted = [f"tantivy=={tantivy}" if pin.startswith("tantivy==") else pin for pin in pins]
    command = ["uv", "pip", "compile", "-", "--python-version", "3.11", "--python-platform", "x86_64-manylinux_2_28",
               "--only-binary", ":all:", "--generate-hashes", "--no-header", "--no-annotate", "--quiet"]  # fmt: skip
    done = subprocess.run(command, input="\n".join(wanted), stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout


def _old_index(home: EngineHome, files: Mapping[str, bytes]) -> dict[str, bytes]:
    """What is archived: the index, the tree that it is of, and questions with the old engine's answers."""
    tree = {
        path.replace(start, into, 1): content
        for path, content in files.items()
        for start, into in TREE.items()
        if path.startswith(start)
    }
    questions = _questions(tree)
    with tempfile.TemporaryDirectory() as scratch:
        sources, index = Path(scratch, "tree"), Path(scratch, "index")
        _write(sources, tree)
        command = [*home.command(PREVIOUS / "old_engine.py"), str(sources), str(index)]
        done = subprocess.run(command, input=json.dumps(questions), stdout=subprocess.PIPE, text=True, check=True)
        named = json.loads((index / "manifest.json").read_text(encoding="utf-8"))["files"]
        written = {f"index/{path}": (index / path).read_bytes() for path in (*named, "manifest.json")}
    golden = {"questions": questions, "answers": json.loads(done.stdout)}
    lines = json.dumps(golden, ensure_ascii=False, indent=0).encode() + b"\n"
    return {**written, **{f"tree/{path}": content for path, content in tree.items()}, "golden.json": lines}


def _questions(tree: Mapping[str, bytes]) -> list[dict[str, Any]]:
    sources = []
    for path, content in tree.items():
        if path.endswith(".py"):
            text = content.decode()
            truth = read_python(path, text)
            sources.append(SourceFile(path, text, strip(text, truth.documentation_spans), truth.documented))
    derived = derive_questions(sources, SEED, PER_CLASS).questions
    asked: list[dict[str, Any]] = [{"id": question.question_id, "query": question.text} for question in derived]
    asked += [{"id": f"hand-{number}", **question} for number, question in enumerate(BY_HAND, start=1)]
    defaults = {"limit": LIMIT, "offset": 0, "language": None, "symbols": False, "glob": None}
    return [{**defaults, **question} for question in asked]


def _files(archive: bytes) -> dict[str, bytes]:
    found = {}
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:  # git made it, of this very repository
        for member in tar:
            content = tar.extractfile(member) if member.isreg() else None
            if content is not None:
                found[member.name] = content.read()
    return found


def _write(root: Path, files: Mapping[str, bytes]) -> None:
    for path, content in files.items():
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)


def _sha256(name: str) -> str:
    return hashlib.sha256((PREVIOUS / name).read_bytes()).hexdigest()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
