"""Engines of other versions are unpacked into homes of their own, and run from nowhere else."""

import hashlib
import json
import os
import subprocess
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from lens_core.adapters import engine_homes
from lens_core.adapters.engine_homes import EngineHomes
from lens_core.adapters.previous_indexes import unpack_archived
from lens_core.drills.previous import Previous, parse_previous
from lens_core.errors import IntegrityError, InvalidInput, Unavailable
from tests.places import PROJECT, image_cache

FOLDER = PROJECT / "data" / "previous"
KNOWN = parse_previous((FOLDER / "versions.toml").read_text(encoding="utf-8"))
LOOK = """
import json, os, sys
import lens_core.engine, tantivy
def importable(name):
    try:
        __import__(name)
    except ImportError:
        return False
    return True
print(json.dumps({
    "path": sys.path, "argv": sys.argv[1:], "name": __name__, "version": lens_core.engine.__version__,
    "files": [lens_core.engine.__file__, tantivy.__file__],
    "leaks": [name for name in ("pytest", "hypothesis", "lens_core.errors", "leaked") if importable(name)],
}))
"""


def wheel(folder: Path, name: str, files: dict[str, str]) -> Path:
    """A wheel with these files."""
    path = folder / name
    with zipfile.ZipFile(path, "w") as archive:
        for inside, text in files.items():
            archive.writestr(inside, text)
    return path


class Shelf:
    """A small engine and its one package, both pinned and already fetched: no network is needed."""

    def __init__(self, folder: Path) -> None:
        self.data, self.cache = folder / "data", folder / "cache"
        self.data.mkdir()
        package = {"tantivy/__init__.py": "old = True\n", "tantivy-9.9.9.data/scripts/evil": "#!", "other.py": ""}
        tantivy = wheel(folder, "tantivy-9.9.9-py3-none-any.whl", package)
        self.lock = f"tantivy==9.9.9 --hash=sha256:{hashlib.sha256(tantivy.read_bytes()).hexdigest()}\n"
        house = self.cache / "wheels" / hashlib.sha256(self.lock.encode()).hexdigest()
        house.mkdir(parents=True)
        tantivy.rename(house / tantivy.name)
        engine = {"lens_core/__init__.py": "", "lens_core/engine/__init__.py": "__version__ = '0.9.0'\n"}
        self.wheel = wheel(self.data, "lens_engine-0.9.0-py3-none-any.whl", engine)
        (self.data / "a.lock").write_text(self.lock, encoding="utf-8")
        digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (self.wheel, self.data / "a.lock")]
        self.previous = Previous(
            "0.9.0", "c" * 40, "9.9.9", self.wheel.name, digests[0], "a.lock", digests[1], "a.tar.xz", "d" * 64
        )
        self.homes = EngineHomes(self.data, self.cache)
        self.said: list[str] = []

    def look(self, folder: Path, **environment: str) -> dict:
        """What a script in the home sees."""
        script = folder / "look.py"
        script.write_text(LOOK, encoding="utf-8")
        command = [*self.homes.of(self.previous, self.said.append).command(script), "one", "two"]
        done = subprocess.run(command, env={**os.environ, **environment}, cwd=folder, capture_output=True, check=True)
        return json.loads(done.stdout)


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """Such a shelf; pip is told that there is no index at all."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    return Shelf(tmp_path)


def test_nothing_of_the_caller_reaches_a_home(shelf, tmp_path):
    """Not its packages, not the rest of Lens, not the folder it stands in, and no variable of Python's."""
    leaks = tmp_path / "leaks"
    leaks.mkdir()
    (leaks / "leaked.py").write_text("", encoding="utf-8")
    (tmp_path / "leaked.py").write_text("", encoding="utf-8")
    seen = shelf.look(tmp_path, PYTHONPATH=f"{leaks}:{PROJECT}", PYTHONHOME="/nowhere", PYTHONSTARTUP="/nowhere")
    home = shelf.homes.of(shelf.previous, shelf.said.append)
    assert seen["leaks"] == []
    assert seen["version"] == "0.9.0"
    assert all(file.startswith(f"{home.site}/") for file in seen["files"])
    ours = [path for path in seen["path"] if "site-packages" in path or path.startswith(str(PROJECT))]
    assert ours == []
    assert seen["path"][-1] == str(home.site)


def test_a_script_in_a_home_runs_as_a_program(shelf, tmp_path):
    """It has its own arguments, and its name is __main__."""
    seen = shelf.look(tmp_path)
    assert (seen["argv"], seen["name"]) == (["one", "two"], "__main__")


def test_a_home_is_made_once_and_then_needs_no_network(shelf):
    """The second time nothing is said, and it is the same place; scripts of a wheel are left out."""
    first = shelf.homes.of(shelf.previous, shelf.said.append)
    assert len(shelf.said) == 1
    assert shelf.homes.of(shelf.previous, shelf.said.append) == first
    assert len(shelf.said) == 1
    assert (first.version, first.tantivy) == ("0.9.0", "9.9.9")
    assert sorted(path.name for path in first.site.iterdir()) == ["lens_core", "other.py", "tantivy"]


def test_running_an_engine_does_not_change_its_home(shelf, tmp_path):
    """Bytecode is kept beside it, so it is still whole afterwards."""
    shelf.look(tmp_path)
    assert len(shelf.said) == 1
    shelf.look(tmp_path)
    assert len(shelf.said) == 1
    home = shelf.homes.of(shelf.previous, shelf.said.append)
    assert not list(home.site.rglob("*.pyc"))
    assert list((home.site.parent / "bytecode").rglob("tantivy/*.pyc"))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda site: (site / "tantivy" / "__init__.py").write_text("old = 1 > 2\n"),
        lambda site: (site / "tantivy" / "__init__.py").unlink(),
        lambda site: (site / "fastapi.py").write_text(""),
        lambda site: (site.parent / "SEAL").unlink(),
    ],
    ids=["changed", "removed", "added", "unsealed"],
)
def test_a_home_that_is_not_as_it_was_unpacked_is_made_anew(shelf, spoil):
    """What lies in a cache is believed only while it agrees with its seal."""
    home = shelf.homes.of(shelf.previous, shelf.said.append)
    spoil(home.site)
    assert shelf.homes.of(shelf.previous, shelf.said.append) == home
    assert len(shelf.said) == 2
    assert (home.site / "tantivy" / "__init__.py").read_text() == "old = True\n"
    assert not (home.site / "fastapi.py").exists()


def test_several_ask_for_a_home_at_once_and_one_makes_it(shelf):
    """While it is being made the others wait, and then find it; nothing is left over."""
    others_spoke = threading.Event()
    with ThreadPoolExecutor(4) as pool:
        others = []

        def making(line):
            shelf.said.append(line)
            others.extend(pool.submit(shelf.homes.of, shelf.previous, lambda _line: others_spoke.set()) for _ in "abc")
            others_spoke.wait(0.5)

        first = shelf.homes.of(shelf.previous, making)
        assert {future.result() for future in others} == {first}
    assert len(shelf.said) == 1
    assert not others_spoke.is_set()
    assert [path for path in (shelf.cache / "engines").iterdir() if path.name.startswith(".making")] == []


@pytest.mark.parametrize("name", ["a.lock", "lens_engine-0.9.0-py3-none-any.whl"])
def test_a_file_that_is_not_the_pinned_one_makes_no_home(shelf, name):
    """Other bytes, or none, are refused before anything is unpacked."""
    with (shelf.data / name).open("ab") as file:
        file.write(b"\n")
    with pytest.raises(IntegrityError, match=f"{name}: expected sha256"):
        shelf.homes.of(shelf.previous, shelf.said.append)
    (shelf.data / name).unlink()
    with pytest.raises(IntegrityError, match="saw none"):
        shelf.homes.of(shelf.previous, shelf.said.append)
    assert shelf.said == []


def test_a_home_on_another_tantivy_than_is_named_is_refused(shelf):
    """The lock decides what runs, so what is registered must agree with it."""
    with pytest.raises(IntegrityError, match=r"expected 0\.9\.0 on tantivy 0\.22\.2, saw 0\.9\.0 on 9\.9\.9"):
        shelf.homes.of(replace(shelf.previous, tantivy="0.22.2"), shelf.said.append)


def test_packages_that_cannot_be_fetched_are_unavailable(shelf):
    """Offline with an incomplete cache there is no home, and no half of one."""
    other = f"tantivy==9.9.8 --hash=sha256:{'0' * 64}\n"
    with pytest.raises(Unavailable, match="pip cannot fetch"):
        shelf.homes.of_wheel(shelf.wheel, other, shelf.said.append)
    assert [path for path in (shelf.cache / "engines").iterdir() if path.is_dir()] == []


def test_a_lock_without_tantivy_is_no_lock_of_an_engine(shelf):
    """Nothing would say what such an engine writes its indexes with."""
    with pytest.raises(InvalidInput, match="tantivy"):
        shelf.homes.of_wheel(shelf.wheel, f"other==1 --hash=sha256:{'0' * 64}\n", shelf.said.append)


def test_another_python_cannot_run_what_is_pinned(shelf, monkeypatch):
    """The wheels are built for one version of Python: with another one it says so instead of failing later."""
    monkeypatch.setattr(engine_homes, "PYTHON", "3.10")
    with pytest.raises(Unavailable, match=r"pinned for Python 3\.10, saw "):
        shelf.homes.of(shelf.previous, shelf.said.append)


def test_a_wheel_that_leads_out_of_its_home_is_refused(shelf):
    """Its members are examined as those of any archive, and nothing stays."""
    evil = wheel(shelf.data, "evil-1-py3-none-any.whl", {"../outside.py": ""})
    with pytest.raises(IntegrityError, match="does not name a place inside"):
        shelf.homes.of_wheel(evil, shelf.lock, shelf.said.append)
    assert [path for path in (shelf.cache / "engines").iterdir() if path.is_dir()] == []
    assert not list(shelf.cache.rglob("outside.py"))


@pytest.mark.parametrize("previous", KNOWN, ids=lambda previous: previous.tag)
def test_each_previous_version_runs_and_answers_as_it_did(previous, tmp_path):
    """In its home, on its own tantivy, it indexes its archive's tree anew and gives the archived answers."""
    home = EngineHomes(FOLDER, image_cache()).of(previous, lambda _line: None)
    archived = unpack_archived(FOLDER, previous, tmp_path / "archived")
    golden = json.loads(archived.golden.read_text(encoding="utf-8"))
    command = [*home.command(FOLDER / "old_engine.py"), str(archived.tree), str(tmp_path / "index")]
    done = subprocess.run(command, input=json.dumps(golden["questions"]), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == golden["answers"]
    written = json.loads((tmp_path / "index" / "manifest.json").read_text(encoding="utf-8"))
    assert (written["engine_version"], written["tantivy_version"]) == (previous.version, previous.tantivy)
