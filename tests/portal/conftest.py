"""A stand-in ledger for the portal's tests, and a browser."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from lens_core import bootstrap, portal_bootstrap
from tests.portal.desk_stand import Stand, forget
from tests.portal.fake_lens import FakeLens

_CHROMIUM = Path("/usr/bin/chromium")
_FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


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


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium; a machine without one skips, continuous integration does not."""
    if not _CHROMIUM.exists():
        if os.environ.get("CI") == "true":
            pytest.fail(f"{_CHROMIUM} is needed here: apt-get install chromium")
        pytest.skip(f"{_CHROMIUM} is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_CHROMIUM, args=list(_FLAGS))
        yield browser
        browser.close()
