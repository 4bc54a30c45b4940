"""The leak test on the real corpus and the real engine: an index that was told the answers is refused."""

from dataclasses import replace

import pytest
from places import PROJECT, make_home

from lens_core.bootstrap import open_lens
from lens_core.errors import IntegrityError
from lens_core.model import Candidate, Digest


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """The project's own adapters over flask, in a home of its own."""
    home = make_home(tmp_path_factory.mktemp("world") / "home")
    lens = open_lens(home, PROJECT / "lens.toml")
    [corpus] = lens.select_corpora(("backend",), ("python",), ("small",))
    lens.fetch_corpora((corpus,)).raise_first()
    return lens._world, corpus


RELEASE = Candidate("0.1.0", Digest("sha256:" + "0" * 64), "c" * 40, dirty=False)


def served(world, tree, index):
    """The real engine, serving an index of ``tree``."""
    service = world.validation._service
    service.index(PROJECT, tree, index)
    return service.serve(PROJECT, index)


def test_an_index_of_the_stripped_tree_is_measured(world, tmp_path):
    """The honest index names the stripped tree's digest and finds none of the held-out sentences."""
    lens, corpus = world
    with served(lens, lens.corpora.stripped(corpus), tmp_path / "index") as endpoint:
        lens.validation._refuse_leaks(RELEASE, corpus, endpoint, 7)


def test_an_index_with_its_docstrings_is_refused(world, tmp_path):
    """The index of the published sources is refused by its digest, and by what it finds if it lies about that."""
    lens, corpus = world
    with served(lens, lens.corpora.sources(corpus), tmp_path / "index") as endpoint:
        with pytest.raises(IntegrityError, match="leak: expected an index of the stripped tree"):
            lens.validation._refuse_leaks(RELEASE, corpus, endpoint, 7)
        liar = replace(endpoint, content_digest=str(lens.corpora.tree_digest(corpus)))
        with pytest.raises(IntegrityError, match=r"leak: the index of 0\.1\.0 finds the held-out sentence"):
            lens.validation._refuse_leaks(RELEASE, corpus, liar, 7)
