"""A stand-in ledger for the portal's tests."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import streamlit as st

from lens_core import bootstrap, portal_bootstrap
from lens_core.portal_bootstrap import PortalSignoff
from tests.portal.fake_desk import PEOPLE, FakeDesk, FakeSigner
from tests.portal.fake_lens import FakeLens


@pytest.fixture
def serve_ledger(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[FakeLens], None]]:
    """Makes the portal read the given ledger; nothing is remembered from one test to the next."""

    def serve(lens: FakeLens) -> None:
        monkeypatch.setattr(bootstrap, "open_lens", lambda *_, **__: lens)
        desk = FakeDesk()
        signoff = PortalSignoff(desk, FakeSigner(), PEOPLE, lambda: desk.now)
        monkeypatch.setattr(portal_bootstrap, "open_portal_signoff", lambda *_, **__: signoff)
        st.cache_data.clear()
        st.cache_resource.clear()

    yield serve
    st.cache_data.clear()
    st.cache_resource.clear()


@pytest.fixture
def ledger(tmp_path: Path, serve_ledger: Callable[[FakeLens], None]) -> FakeLens:
    """An empty ledger that the portal reads."""
    lens = FakeLens(tmp_path)
    serve_ledger(lens)
    return lens
