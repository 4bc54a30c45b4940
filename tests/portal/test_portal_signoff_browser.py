"""Sign-off as people meet it: a real browser, a real identity provider's protocol, a home with all evidence."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from secrets import token_hex

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from oidc_provider_mock import User, run_server_in_thread
from playwright.sync_api import Browser, BrowserContext, Locator, Page, Request, expect
from ready_home import PEOPLE, VERSION, ReadyHome, make_ready_home

from lens_core.adapters.ssh_signatures import SshSigner
from lens_core.signoff.words import Act, Method, Recorded, Role
from lens_core.signoff_bootstrap import open_signoff
from tests.portal.browsing import WAIT_MS, free_port, served

_MOST_TABS = 60
_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_LOOPBACK = ("127.0.0.1", "localhost")
_STRANGER, _UNVERIFIED = "mallory@example.org", "unverified"


@dataclass(frozen=True)
class House:
    """A portal over a home that lacks nothing but its approvals, and the provider by which one signs in."""

    ready: ReadyHome
    address: str
    provider: str

    def held(self) -> tuple[Recorded, ...]:
        """What the ledger holds on the candidate."""
        return open_signoff(self.ready.home, self.ready.config).statements(VERSION)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Made once for all tests of this file, each of which leaves what it records."""
    ready = make_ready_home(tmp_path_factory.mktemp("ready"))
    users = [_user(name, name) for name in (*PEOPLE.values(), _STRANGER)]
    users.append(_user(_UNVERIFIED, PEOPLE[Role.PRODUCT], verified=False))
    port = free_port()
    with run_server_in_thread(user_claims=users) as server:
        provider = f"http://localhost:{server.server_port}"
        secrets = ready.folder / "secrets.toml"
        secrets.write_text(_secrets(port, provider), encoding="utf-8")
        with served(ready.environment, port, "--secrets.files", str(secrets)) as address:
            yield House(ready, address, provider)


def _user(sub: str, email: str, *, verified: bool = True) -> User:
    return User(sub=sub, claims={"email": email, "email_verified": verified})


def _secrets(port: int, provider: str) -> str:
    lines = {
        "redirect_uri": f"http://127.0.0.1:{port}/oauth2callback",
        "cookie_secret": token_hex(),
        "client_id": "lens",
        "client_secret": token_hex(),
        "server_metadata_url": f"{provider}/.well-known/openid-configuration",
    }
    return "\n".join(["[auth]", *(f'{name} = "{value}"' for name, value in lines.items())])


def _tab_to(page: Page, wanted: Locator) -> None:
    """Go to an element with the tabulator key alone."""
    for _ in range(_MOST_TABS):
        page.keyboard.press("Tab")
        if wanted.evaluate("element => element === document.activeElement"):
            return
    pytest.fail(f"{wanted} is not reached by {_MOST_TABS} presses of the tabulator key")


def _sign_in(context: BrowserContext, house: House, sub: str) -> Page:
    """Sign in with the keyboard, and come back to the page of sign-off."""
    page = context.new_page()
    page.set_default_timeout(WAIT_MS)
    page.goto(f"{house.address}/signoff")
    button = page.get_by_role("button", name=re.compile("Sign in with localhost"))
    expect(button).to_be_visible(timeout=WAIT_MS)
    _tab_to(page, button)
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(re.escape(house.provider)))
    page.keyboard.type(sub)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{house.address}/")
    link = page.get_by_role("link", name="Sign-off")
    expect(link).to_be_visible(timeout=WAIT_MS)
    _tab_to(page, link)
    page.keyboard.press("Enter")
    expect(page.get_by_text("Signed in as")).to_be_visible(timeout=WAIT_MS)
    return page


@pytest.fixture
def context(browser: Browser, house: House) -> Iterator[BrowserContext]:
    """Somebody's own browser; every request that a page of the portal makes stays on this machine."""
    context = browser.new_context(viewport={"width": 1400, "height": 1000})
    asked: list[str] = []
    # The provider's own pages ask for a style sheet elsewhere; what the portal's ask for says so in its referrer.
    context.on("request", lambda request: _note(asked, request, house))
    yield context
    assert {httpx.URL(url).host for url in asked} <= set(_LOOPBACK)
    context.close()


def _note(asked: list[str], request: Request, house: House) -> None:
    if request.url.startswith("http") and not request.headers.get("referer", "").startswith(house.provider):
        asked.append(request.url)


def test_the_stranger_is_told_why_nothing_is_theirs_to_sign(house: House, context: BrowserContext) -> None:
    """Somebody whom lens.toml does not name reads all, may press nothing, and is told why."""
    before = house.held()
    page = _sign_in(context, house, _STRANGER)
    expect(page.get_by_text(f"lens.toml names nobody with the address {_STRANGER}").first).to_be_visible()
    expect(page.get_by_role("button", name="Approve")).to_be_disabled()
    assert house.held() == before


def test_an_address_that_nobody_verified_is_nobodys(house: House, context: BrowserContext) -> None:
    """A person's own address does not help as long as the provider does not say that it is theirs."""
    page = _sign_in(context, house, _UNVERIFIED)
    expect(page.get_by_text("the provider does not say that dan@example.org is verified").first).to_be_visible()
    expect(page.get_by_role("button", name="Approve as product")).to_be_disabled()


def test_two_quick_clicks_record_one_comment(house: House, context: BrowserContext) -> None:
    """A double click is one statement of the ledger."""
    page = _sign_in(context, house, PEOPLE[Role.PRODUCT])
    page.get_by_text("Comment", exact=True).first.click()
    page.get_by_role("textbox", name="Comment").fill("said twice, meant once")
    page.get_by_role("button", name="Comment", exact=True).dblclick()
    expect(page.get_by_role("heading", name="✓ Recorded")).to_be_visible(timeout=WAIT_MS)
    assert [one.statement.act for one in house.held()].count(Act.COMMENT) == 1


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nothing_on_the_page_stands_in_the_way_of_anybody(house: House, browser: Browser, theme: str) -> None:
    """The rules of WCAG that a machine can test hold in both themes, with every form open."""
    context = browser.new_context(color_scheme="light" if theme == "light" else "dark")
    page = _sign_in(context, house, PEOPLE[Role.QA])
    for summary in page.locator("[data-testid=stExpander] summary").all():
        summary.click()
    expect(page.get_by_role("button", name="Reject for good")).to_be_visible()
    expect(page.get_by_role("heading", name="Verify it yourself")).to_be_attached(timeout=WAIT_MS)
    found = Axe().run(page, options={"runOnly": _RULES}).response["violations"]
    assert _said(found) == []
    context.close()


def _said(violations: Sequence[dict[str, object]]) -> list[str]:
    return [f"{one['id']}: {[node['html'] for node in one['nodes']]}" for one in violations]  # type: ignore[attr-defined]


def test_no_other_door_leads_to_the_desk(house: House) -> None:
    """Whoever speaks HTTP without a browser finds nothing that records: no address takes what is sent to it."""
    before = house.held()
    for path in ("", "signoff", "health", "auth/login", "oauth2callback", "evidence/x/y", "_stcore/stream"):
        answer = httpx.post(f"{house.address}/{path}", json={"act": "approve", "person": PEOPLE[Role.QA]})
        assert answer.status_code in {403, 404, 405}, (path, answer.status_code)
    assert house.held() == before


def test_a_person_approves_with_the_keyboard_alone(house: House, context: BrowserContext) -> None:
    """Without a mouse somebody signs in, gives a reason and approves; with three more by SSH it may be promoted."""
    page = _sign_in(context, house, PEOPLE[Role.QA])
    reason = page.get_by_role("textbox", name="Reason").first
    expect(reason).to_be_visible(timeout=WAIT_MS)
    _tab_to(page, reason)
    page.keyboard.type("I looked at all of it")
    _tab_to(page, page.get_by_role("button", name="Approve as qa"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="✓ Recorded")).to_be_visible(timeout=WAIT_MS)
    [approval] = [one for one in house.held() if one.statement.act is Act.APPROVE]
    assert (approval.statement.person, approval.statement.role) == (PEOPLE[Role.QA], Role.QA)
    assert (approval.method, approval.fault) == (Method.PORTAL, "")
    assert approval.statement.claims["iss"] == house.provider
    desk = open_signoff(house.ready.home, house.ready.config)
    for role in (Role.PLATFORM, Role.SECURITY, Role.PRODUCT):
        content = desk.draft(Act.APPROVE, VERSION, PEOPLE[role], role, "seen")
        desk.record(SshSigner(house.ready.key(PEOPLE[role])).sign(content))
    page.reload()
    expect(page.get_by_role("heading", name=f"✓ {VERSION} may be promoted")).to_be_visible(timeout=WAIT_MS)
