"""The page of candidates over real cuts and drills in a folder: none, cut, drilled, damaged, not trusted, gone."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pytest
import streamlit as st
from cutting import VERSION, CuttingHouse
from drilling import DrillHouse, FakeCell
from streamlit.testing.v1 import AppTest

from lens_core import candidates_bootstrap
from lens_core.adapters.folder_stamp import folder_stamp
from lens_core.candidates import Candidates
from lens_core.drills.drill import CELLS, DrillRules
from lens_core.errors import Unavailable
from lens_core.releases import Releases
from portal import reading

_PAGE = "from portal.views import candidates\ncandidates.show()"
_SECOND = "1.0.0-rc.2"
_MANY = 10


@dataclass
class Home:
    """A home folder that cuts and drills."""

    cuts: CuttingHouse
    drilled: DrillHouse

    def cut(self, version: str = VERSION) -> Path:
        """Cut the version, a day after the one before, and give its folder."""
        self.cuts.clock.moment += timedelta(days=1)
        self.cuts.cut(version)
        return self.cuts.home / "releases" / version

    def drill(self) -> Path:
        """Drill the version's own wheel, and give the drill's folder."""
        self.drilled.wheel = sha256(self.cuts.source.text.encode()).hexdigest()
        return self.drilled.drill().folder


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """An empty home that the portal reads; nothing is remembered from one test to the next."""
    cuts = CuttingHouse(tmp_path)
    drilled = DrillHouse(tmp_path, key=cuts.key, version=VERSION)
    reader = Candidates(cuts.releases, drilled.drills, cuts.ledger, folder_stamp)
    monkeypatch.setattr(candidates_bootstrap, "open_candidates", lambda *_, **__: reader)
    st.cache_data.clear()
    st.cache_resource.clear()
    return Home(cuts, drilled)


def _page(**asked: str) -> AppTest:
    page = AppTest.from_string(_PAGE, default_timeout=30)
    for name, value in asked.items():
        page.query_params[name] = value
    page.run()
    assert not page.exception, page.exception
    return page


def _text(page: AppTest) -> str:
    html = [element.proto.body for element in page.get("html")]
    words = [element.value for kind in (page.markdown, page.error, page.warning, page.code) for element in kind]
    return "\n".join([*html, *words])


def _again() -> str:
    """The page as somebody sees it after the list of candidates was read anew."""
    reading.candidates.clear()
    return _text(_page())


def _nothing(_home: Home) -> None:
    pass


def _cut(home: Home) -> None:
    home.cut()


def _drilled(home: Home) -> None:
    home.cut()
    home.drill()


def _red_drill(home: Home) -> None:
    home.drilled.cells = (FakeCell("read", lambda _case: {"fine": False}), FakeCell("write", lambda _case: 1 / 0))
    _drilled(home)


def _damaged(home: Home) -> None:
    wheel = home.cut() / "dist/lens.whl"
    wheel.write_bytes(b"two")


def _damaged_drill(home: Home) -> None:
    home.cut()
    record = home.drill() / "drill.json"
    record.write_bytes(record.read_bytes().replace(b"driller", b"drilled"))


def _other_drill(home: Home) -> None:
    home.cut()
    home.drilled.drill()  # of another wheel


def _not_trusted(home: Home) -> None:
    _drilled(home)
    home.cuts.trusting = False


def _gone(home: Home) -> None:
    shutil.rmtree(home.cut())


def _only_drilled(home: Home) -> None:
    home.drill()


_STATES: dict[str, tuple[Callable[[Home], None], tuple[str, ...], tuple[str, ...]]] = {
    "nothing cut": (_nothing, ("No candidate yet", "lens cut-rc --version"), ("✓ PASS", "as signed")),
    "only drilled": (_only_drilled, ("No candidate yet", f"never cut: {VERSION}"), ("✓ PASS",)),
    "cut": (
        _cut,
        (
            *("? INCONCLUSIVE: 1.0.0-rc.1", "✓ as signed", "cut without a container", "builder@example.invalid"),
            *("left out of this cut: --no-container", "≥ 90.0 %", "no value", "There is no list of its contents"),
            *("Not drilled yet", f"lens compat-drill --version {VERSION}", f"lens verify {VERSION}", "verify.sh -k"),
        ),
        ("does not verify", "Rollback-safe", "passed."),
    ),
    "drilled": (
        _drilled,
        ("✓ PASS: passed", "Rollback-safe: <strong>unknown", "nobody tried to go back", "driller@example.invalid"),
        ("Not drilled yet", "does not verify"),
    ),
    "red drill": (
        _red_drill,
        ("✕ FAIL: failed", "crashed: ZeroDivisionError", "not compatible", "Cells that are not a plain PASS"),
        ("has passed",),
    ),
    "damaged": (
        _damaged,
        ("Do not use 1.0.0-rc.1", "✕ does not verify", "not believed", "dist/lens.whl: expected", "ledger remembers"),
        ("✓ PASS", "v-PASS", "as signed", "Gates"),
    ),
    "damaged drill": (
        _damaged_drill,
        ("The latest drill does not verify", "drill.json: expected", "not believed", "✓ as signed"),
        ("Rollback-safe: <strong>", "✓ PASS: passed"),
    ),
    "drill of another wheel": (
        _other_drill,
        ("The latest drill does not verify", "expected a drill of wheel"),
        ("Rollback-safe: <strong>", "✓ PASS: passed"),
    ),
    "not trusted": (
        _not_trusted,
        ("Do not use 1.0.0-rc.1", "lens keys trust FILE"),
        ("✓ PASS", "as signed", "Rollback-safe: <strong>"),
    ),
    "gone": (_gone, ("Do not use 1.0.0-rc.1", "there is no release 1.0.0-rc.1", "ledger remembers"), ("✓ PASS",)),
}


@pytest.mark.parametrize("state", _STATES)
def test_each_state_says_what_it_is_and_nothing_better(home: Home, state: str) -> None:
    """Whatever lies in the home, the page says so in words, and shows no pass that has no evidence."""
    prepare, said, unsaid = _STATES[state]
    prepare(home)
    text = _text(_page())
    assert [words for words in said if words not in text] == []
    assert [words for words in unsaid if words in text] == []


def test_the_matrix_is_drawn_for_a_drill_that_stands_only(home: Home) -> None:
    """A drill that verifies has its matrix; once a byte of it changes there is no matrix any more."""
    home.cut()
    folder = home.drill()
    assert len(_page().get("plotly_chart")) == 1
    (folder / "drill.json").write_bytes(b"{}")
    reading.candidates.clear()
    assert _page().get("plotly_chart") == []


def test_a_drill_that_left_cells_out_is_no_full_drill(home: Home) -> None:
    """Cells that nobody asked about are named, for what is not in the matrix could be taken for passed."""
    _drilled(home)
    assert "**Not a full drill.** Nobody asked about: query parity, merge" in _text(_page())
    home.drilled.rules = DrillRules(cells=CELLS)
    home.drill()
    assert "Not a full drill" not in _again()


def test_gates_stand_worst_first(home: Home) -> None:
    """What holds a candidate back is read before what passed."""
    home.cut()
    gates = next(e.proto.body for e in _page().get("html") if "What each gate says" in e.proto.body)
    assert gates.index("? INCONCLUSIVE") < gates.index("✓ PASS")
    assert gates.rindex("? INCONCLUSIVE") < gates.index("✓ PASS")


def test_the_newest_comes_first_and_an_older_one_has_an_address(home: Home) -> None:
    """The newest candidate is shown, another by its address, and an unknown one is refused by name."""
    home.cut()
    home.cuts.source.text = "two"
    home.cut(_SECOND)
    text = _text(_page())
    assert text.index(f">{_SECOND}</a>") < text.index(f">{VERSION}</a>")
    assert f"INCONCLUSIVE: {_SECOND}" in text
    assert f"INCONCLUSIVE: {VERSION}" in _text(_page(candidate=VERSION))
    refused = _text(_page(candidate="9.9.9"))
    assert "No candidate “9.9.9” was cut here" in refused
    assert "lens-verdict" not in refused


def test_a_damaged_cut_is_named_while_another_is_looked_at(home: Home) -> None:
    """Whoever looks at the newest candidate learns that an older one was tampered with."""
    _damaged(home)
    home.cuts.source.text = "two"
    home.cut(_SECOND)
    text = _text(_page())
    assert f"Do not use {VERSION}." in text
    assert f"INCONCLUSIVE: {_SECOND}" in text


def test_cuts_beyond_the_newest_have_no_verdict_until_they_are_chosen(home: Home) -> None:
    """Of many cuts the newest are verified at once; an older one says that it was not, and is when it is chosen."""
    first = home.cut("1.0.0-rc.1")
    for number in range(2, _MANY + 1):
        shutil.copytree(first, first.with_name(f"1.0.0-rc.{number}"))
    text = _text(_page())
    assert text.count("… choose it to verify") == _MANY - 8
    assert text.count("✓ as signed") == 1  # the copies are of another version, which their seals do not say


def test_a_cut_is_verified_once_and_again_when_a_byte_changes(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Looking again costs no hashing, and a write to any file of the cut is seen at the next look."""
    verified: list[str] = []
    verify = Releases.verify

    def counted(self: Releases, ref: str, keys: None = None) -> object:
        verified.append(ref)
        return verify(self, ref, keys)

    monkeypatch.setattr(Releases, "verify", counted)
    folder = home.cut()
    assert "does not verify" not in _again()
    assert "does not verify" not in _again()
    assert verified == [VERSION]
    (folder / "dist/lens.whl").write_bytes(b"eno")
    assert "1.0.0-rc.1 does not verify" in _again()
    assert verified == [VERSION, VERSION]


def test_what_the_ledger_remembers_otherwise_does_not_verify(home: Home) -> None:
    """A cut that was replaced by another one of the same key is found by the manifest that the ledger remembers."""
    folder = home.cut()
    other = CuttingHouse(home.cuts.home / "elsewhere", key=home.cuts.key)
    other.source.text = "two"
    other.cut()
    shutil.rmtree(folder)
    shutil.copytree(other.home / "releases" / VERSION, folder)
    text = _text(_page())
    assert "as the ledger has it, saw" in text
    assert "✓ PASS" not in text


def test_a_cut_that_cannot_be_read_is_tried_again(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reading that failed is told as a fault, and is not remembered as one."""

    def busy(*_: object, **__: object) -> None:
        raise Unavailable("the disk is busy")

    home.cut()
    with monkeypatch.context() as patched:
        patched.setattr(Releases, "verify", busy)
        assert "the disk is busy" in _text(_page())
    assert "the disk is busy" not in _text(_page())


def test_text_of_a_cut_is_never_markup(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """A person's name that holds HTML, or the word PASS, is text."""
    monkeypatch.setattr(type(home.cuts.source), "person", lambda _self: "<img src=x onerror=alert(1)>")
    home.cut()
    html = "".join(element.proto.body for element in _page().get("html"))
    assert "<img" not in html
    assert "&lt;img" in html
