"""What the ports owe, asked of the fakes and of the real adapters alike."""

import os
from collections.abc import Callable
from datetime import UTC, timedelta
from pathlib import Path

import nbformat
import pytest
from fakes import (
    CATALOGUE,
    DEFINITIONS,
    SLICES,
    FakeBuilder,
    FakeClock,
    FakeControl,
    FakeCorpora,
    FakeLoad,
    FakeService,
    build_house,
)
from loopback import answering
from nbformat.v4 import new_code_cell, new_notebook
from places import PROJECT, corpora_cache

from lens_core.adapters.clock import SystemClock
from lens_core.adapters.control_process import ControlProcess
from lens_core.adapters.corpora import CorpusStore, digest_of_tree
from lens_core.adapters.load import OpenLoopLoad
from lens_core.adapters.papermill_runner import PapermillRunner
from lens_core.adapters.service_process import ServiceProcess
from lens_core.adapters.wheel_builder import WheelBuilder
from lens_core.catalogue import parse_catalogue
from lens_core.config import load_settings
from lens_core.model import Corpus, Digest
from lens_core.night import NightRequest
from lens_core.ports import Endpoint, LoadPlan, Pane

both = pytest.mark.parametrize("kind", ["fake", "real"])


@both
def test_a_clock_tells_utc_and_does_not_run_backwards(kind):
    """Every moment carries its zone, and a later one is not earlier."""
    clock = FakeClock() if kind == "fake" else SystemClock()
    first, second = clock.now(), clock.now()
    assert first.tzinfo is UTC
    assert second - first >= timedelta(0)


@both
def test_a_builder_binds_one_state_to_one_digest(kind, tmp_path):
    """Building twice gives one candidate, its wheel is kept under its digest, and code can be unpacked from it."""
    builder = FakeBuilder(tmp_path) if kind == "fake" else WheelBuilder(PROJECT, tmp_path)
    candidate = builder.build()
    assert builder.build() == candidate
    [wheel] = (tmp_path / candidate.digest.hex).glob("*.whl")
    assert wheel.name.split("-")[1] == candidate.version
    assert builder.unpack(candidate).is_dir()


@both
def test_a_load_generator_asks_everything_on_schedule(kind):
    """As many samples as planned, questions in turn, times in order, control and resources watched."""
    generator, control = (FakeLoad(), FakeControl()) if kind == "fake" else (OpenLoopLoad(), ControlProcess())
    names = [d.name for d in DEFINITIONS]
    with answering() as one, answering() as two, control.serve() as control_url:
        served = tuple(Endpoint(f"http://127.0.0.1:{s.server_port}", os.getpid(), "") for s in (one, two))
        panes = (Pane(0, 0, 20), Pane(1, 0, 20))
        run = generator.run(LoadPlan(served, panes, tuple((n, n) for n in names), 400.0, control_url, 200.0, 1, 5.0))
    assert [s.pane for s in run.samples] == [0] * 20 + [1] * 20
    assert [s.question_id for s in run.samples] == names * 20
    assert all(s.intended_s <= s.sent_s <= s.done_s and s.body in run.bodies for s in run.samples)
    assert {s.pane for s in run.control} == {0, 1}
    assert all(s.intended_s <= s.sent_s <= s.done_s and s.status == 200 for s in run.control)
    assert len(run.usage) == 2
    assert all(used.rss_bytes for used in run.usage)


def service(kind: str, folder: Path) -> tuple[FakeService | ServiceProcess, Path, Callable[[Corpus], Digest]]:
    """A service under test, its tree of one file, and the digest that an honest index of it names."""
    corpora = FakeCorpora(folder)
    tree = corpora.stripped(CATALOGUE.corpora[0])
    if kind == "fake":
        return FakeService(corpora), tree, corpora.tree_digest
    settings = load_settings(config=PROJECT / "lens.toml").service
    real = ServiceProcess(settings.index, settings.serve, 60, 60)
    return real, tree, lambda _corpus: digest_of_tree({"a.py": (tree / "a.py").read_bytes()})


@both
def test_a_service_names_what_it_holds_and_lists_definitions(kind, tmp_path):
    """A served index says the digest of its tree, outlines its files, and does not find what was held out."""
    running, tree, digest = service(kind, tmp_path)
    corpus = CATALOGUE.corpora[0]
    index = tmp_path / "indexes" / f"{corpus.slice.slug}-x"
    assert running.index(PROJECT, tree, index) > 0
    assert any(index.iterdir())
    with running.serve(PROJECT, index) as endpoint:
        assert endpoint.content_digest == str(digest(corpus))
        listed = running.outlines(endpoint, ["a.py"])
        assert listed == {"a.py": [(d.name, d.start_line, d.end_line) for d in DEFINITIONS]}
        assert running.search_paths(endpoint, '"Return the very first number."') == ()


@both
def test_corpora_give_questions_about_what_is_there(kind, tmp_path):
    """Answers are units of the corpus, ids are unique, and held-out sentences are not in the stripped tree."""
    if kind == "fake":
        store, corpus = FakeCorpora(tmp_path), CATALOGUE.corpora[0]
    else:
        store = CorpusStore(corpora_cache(tmp_path), PROJECT / "data" / "definitions")
        catalogue = parse_catalogue((PROJECT / "data" / "slices.toml").read_text())
        [corpus] = catalogue.select(["backend"], ["python"], ["small"])
    assert not store.fetch([corpus]).errors
    tree = store.stripped(corpus)
    assert store.tree_digest(corpus) == store.tree_digest(corpus)
    truth = store.questions(corpus, 7)
    units = {u.unit_id for u in truth.units}
    assert len({q.question_id for q in truth.questions}) == len(truth.questions) > 0
    assert all(set(q.relevant) <= units and q.relevant for q in truth.questions)
    for definition in store.definitions(corpus):
        lines = (tree / definition.path).read_text().splitlines()
        assert 1 <= definition.start_line <= definition.end_line <= len(lines)
    for probe in store.held_out(corpus, 7, 5):
        assert probe.sentence not in (tree / probe.path).read_text()


@both
@pytest.mark.parametrize("dies", [False, True])
def test_a_notebook_runner_tells_completed_from_dead(kind, dies, tmp_path):
    """A run that reached its end is completed; one that did not is not, and says why."""
    if kind == "fake":
        house = build_house(tmp_path)
        house.notebooks.fates[SLICES[0]] = "dies first" if dies else ""
        night = house.lens.nightly_validation(NightRequest(0.05, sizes=("small",)))
        [outcome] = [a for a in house.lens.answers(night.night_id) if a.slice == SLICES[0]][-1:]
        assert outcome.verdict.advances is not dies
        assert outcome.reason
        return
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    made = new_notebook(metadata=metadata, cells=[new_code_cell("1 / 0" if dies else "1")])
    nbformat.write(made, tmp_path / "n.ipynb")
    outcome = PapermillRunner(tmp_path / "assets", 60, 60).run(tmp_path / "n.ipynb", tmp_path / "o.ipynb", {}, 60)
    assert outcome.completed is not dies
    assert (tmp_path / "o.ipynb").exists()
    assert outcome.reason
