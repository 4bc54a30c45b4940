"""A stand-in ledger for the portal's tests."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lens_core import bootstrap, portal_bootstrap
from tests.portal.desk_stand import Stand, forget
from tests.portal.fake_lens import FakeLens


@pytest.fixture
def serve_ledger(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[FakeLens], None]]:
    """Makes the portal read the given ledger; nothing is remembered from one test to the next."""
    stand = Stand(tmp_path_factory.mktemp("desk"))
    monkeypatch.setattr(portal_bootstrap, "open_portal_signoff", lambda *_, **__: stand.opened())

    def serve(lens: FakeLens) -> None:
        monkeypatch.setattr(bootstrap, "open_lens", lambda *_, **__: lens)
        forget()

    yield serve
    forget()


@pytest.fixture
def ledger(tmp_path: Path, serve_ledger: Callable[[FakeLens], None]) -> FakeLens:
    """An empty ledger that the portal reads."""
    lens = FakeLens(tmp_path)
    serve_ledger(lens)
    return lens
