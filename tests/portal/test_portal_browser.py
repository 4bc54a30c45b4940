"""The portal as a person meets it: the real server, a real browser, nothing beyond loopback."""

import re
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from cutting import VERSION, CuttingHouse
from drilling import DrillHouse
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

from lens_core.drills.judging import JUDGES
from lens_core.supply.signatures import key_id, pem_of
from tests.portal.browsing import WAIT_MS, free_port, served
from tests.portal.fake_lens import SLICES, seeded, write_ledger

# Streamlit asks for two files below the address of a page that is opened directly (its issue 7074).
_KNOWN_ERRORS = re.compile(r"/(trends|candidates|signoff)/_stcore/(health|host-config)$")


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a running portal over a real ledger of fourteen nights, and a candidate that was drilled."""
    home = tmp_path_factory.mktemp("home")
    write_ledger(seeded(home))
    _cut_and_drill(home)
    with served({"LENS_HOME": str(home)}, free_port()) as address:
        yield address


def _cut_and_drill(home: Path) -> None:
    """A sealed cut and a drill of it, of the key that the home trusts; the real judges make nothing of the drill."""
    cuts = CuttingHouse(home)
    wheel = sha256(cuts.source.text.encode()).hexdigest()
    trusted = home / "keys/trusted"
    trusted.mkdir(parents=True)
    public = cuts.signer.public_key
    (trusted / f"{key_id(public).replace(':', '-')}.pem").write_bytes(pem_of(public))
    cuts.cut()
    DrillHouse(home, key=cuts.key, version=VERSION, wheel=wheel, judges=dict(JUDGES)).drill()


def test_a_person_reads_the_night_its_slices_and_its_report(portal: str, browser: Browser) -> None:
    """Verdict, reasons, twelve slices and links are seen, the report opens, and no request leaves loopback."""
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    asked: list[str] = []
    complaints: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    context.on("console", lambda message: _complain(complaints, message))
    context.on("weberror", lambda error: complaints.append(str(error.error)))
    page = context.new_page()
    page.set_default_timeout(WAIT_MS)
    page.goto(portal)
    _reads_the_night(page)
    _opens_the_report(page)
    _chooses_a_slice(page)
    _follows_the_trends(page, portal)
    _reads_the_candidate(page)
    assert {urlsplit(url).hostname for url in asked if url.startswith("http")} == {"127.0.0.1"}
    assert complaints == []
    context.close()


def _complain(complaints: list[str], message: ConsoleMessage) -> None:
    address = message.location.get("url", "")
    if message.type == "error" and not _KNOWN_ERRORS.search(address):
        complaints.append(f"{message.text} ({address})")


def _reads_the_night(page: Page) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text("✕ FAIL: night of 24 November 2026", timeout=WAIT_MS)
    expect(page.get_by_text("2.31 is not ≤ 2").first).to_be_visible()
    matrix = page.get_by_role("table", name="What each gate says about each slice")
    for name in SLICES:
        expect(matrix.get_by_role("rowheader", name=name)).to_be_visible()
    expect(matrix.get_by_role("cell", name="✕ 2.31×")).to_be_visible()
    files = page.get_by_role("table", name="Files that the verdict rests on")
    expect(files.get_by_role("link", name="read")).to_have_count(len(SLICES))
    expect(files.get_by_role("link", name=".ipynb")).to_have_count(len(SLICES))


def _opens_the_report(page: Page) -> None:
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="Open the nightly report").click()
    report = opened.value
    expect(report.get_by_role("heading", name="Nightly report 2026-11-24.1")).to_be_visible(timeout=WAIT_MS)
    expect(report.get_by_text("the script beside it was loaded")).to_be_visible()
    report.close()
    with page.expect_download() as started:
        page.get_by_role("link", name="download it as .ipynb").click()
    assert started.value.suggested_filename == "2026-11-24.1-report-nightly_report.ipynb"


def _chooses_a_slice(page: Page) -> None:
    page.get_by_role("link", name="backend/python/large").first.click()
    page.wait_for_url(re.compile(r"slice=backend"))
    answers = page.get_by_role("table", name="Answers for backend/python/large")
    expect(answers.get_by_role("row", name=re.compile("Tail ratio"))).to_contain_text("≤ 2.00×", timeout=WAIT_MS)


def _follows_the_trends(page: Page, portal: str) -> None:
    page.goto(f"{portal}/trends?charts=true")
    expect(page.get_by_role("heading", name="Latency trends")).to_be_visible(timeout=WAIT_MS)
    panels = page.locator(".js-plotly-plot .cartesianlayer > .subplot")
    expect(panels).to_have_count(len(SLICES), timeout=WAIT_MS)
    page.get_by_text("All values, a row per night").click()
    expect(page.get_by_text("Fewest samples behind one of these values: n = 1,500.")).to_be_visible()
    page.get_by_text("The 14 nights drawn here").click()
    page.get_by_role("link", name="2026-11-20.1").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("night of 20 November 2026", timeout=WAIT_MS)


def _reads_the_candidate(page: Page) -> None:
    page.get_by_role("link", name="Candidates").click()
    expect(page.get_by_role("heading", name=f"INCONCLUSIVE: {VERSION}")).to_be_visible(timeout=WAIT_MS)
    listed = page.get_by_role("table", name="Candidates, newest first")
    expect(listed.get_by_role("row", name=re.compile(VERSION))).to_contain_text("✓ as signed")
    gates = page.get_by_role("table", name="What each gate says, worst first")
    expect(gates.get_by_role("row", name=re.compile("Line coverage"))).to_contain_text("no value")
    expect(page.locator(".js-plotly-plot").get_by_text("! ERROR")).to_have_count(4, timeout=WAIT_MS)
    expect(page.get_by_role("table", name="The way back to each previous version")).to_contain_text("unknown")
    listed.get_by_role("link", name=VERSION).click()
    page.wait_for_url(re.compile(rf"/candidates\?candidate={VERSION}$"))
    expect(gates).to_be_visible(timeout=WAIT_MS)


def test_a_point_of_a_chart_leads_to_its_night(portal: str, browser: Browser) -> None:
    """Clicking a point offers the page of the night that it stands for."""
    page = browser.new_page(viewport={"width": 1400, "height": 1400})
    page.set_default_timeout(WAIT_MS)
    page.goto(f"{portal}/trends?charts=true&slices=backend%2Fpython%2Fsmall")
    point = page.locator(".js-plotly-plot .scatterlayer .point").nth(2)
    point.wait_for(state="attached")
    box = point.bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.locator(".hoverlayer .hovertext").first.wait_for()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    link = page.get_by_role("link", name=re.compile("Open night"))
    link.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("night of 13 November 2026")
    page.close()


def test_a_date_in_the_address_opens_its_night(portal: str, browser: Browser) -> None:
    """In a browser too, a date names its night, and an unknown one is refused."""
    page = browser.new_page()
    page.goto(f"{portal}/?night=2026-11-20")
    expect(page.get_by_role("heading", level=1)).to_contain_text("night of 20 November 2026", timeout=WAIT_MS)
    page.goto(f"{portal}/?night=2020-01-01")
    expect(page.get_by_text("No night “2020-01-01” in this ledger")).to_be_visible(timeout=WAIT_MS)
    page.close()
