"""The forwarder in front of two servers: it alternates by request, passes on what it gets, and hides nothing."""

import socket
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from fake_engine import FakeEngine, served

from lens_core.adapters.half_fleet import half_fleet
from lens_core.errors import InvalidInput


@pytest.fixture
def halves():
    """Two fakes and a client that keeps its connection to the address in front of them."""
    old, new = FakeEngine(), FakeEngine()
    with (
        served(old) as old_url,
        served(new) as new_url,
        half_fleet(old_url, new_url) as url,
        httpx.Client(base_url=url, trust_env=False) as client,
    ):
        yield old, new, client


def test_one_kept_connection_meets_both_halves_in_turn(halves):
    """The header names the half, and the half's own count agrees."""
    old, new, client = halves
    named = [client.get("/search", params={"q": "cart"}).headers["Lens-Half"] for _ in range(7)]
    assert named == ["old", "new", "old", "new", "old", "new", "old"]
    assert (old.searches, new.searches) == (4, 3)


def test_many_connections_at_once_share_the_turns(halves):
    """Neither half gets more than its share, and every answer is whole."""
    old, new, client = halves
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: client.get("/search", params={"q": f"cart {n}"}), range(60)))
    assert [answer.json()["query"] for answer in answers] == [f"cart {n}" for n in range(60)]
    assert (old.searches, new.searches) == (30, 30)


def test_what_is_asked_and_answered_is_passed_on_as_it_is(halves):
    """Escapes, repeated parameters, other methods, bodies, codes and media types."""
    old, new, client = halves
    first = client.get("/search?q=a%2Bb%20%C3%A9&q=&x=%25")
    second = client.post("/search", content=b"{}" * 1000)
    assert (first.status_code, second.status_code) == (400, 405)
    assert old.asked[-1] == ("GET", "/search", (("q", "a+b é"), ("q", ""), ("x", "%")))
    assert (new.asked[-1], new.bodies[-1]) == (("POST", "/search", ()), b"{}" * 1000)
    assert first.headers["content-type"] == "application/json"
    assert client.get("/search", params={"q": "c"}).json() == client.get("/search", params={"q": "c"}).json()


def test_a_half_that_is_down_is_not_hidden():
    """Every other request gets 502, and nothing is asked of the other half instead."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        nobody = f"http://127.0.0.1:{taken.getsockname()[1]}"
    old = FakeEngine()
    with served(old) as old_url, half_fleet(old_url, nobody) as url:
        codes = [httpx.get(f"{url}/health", trust_env=False).status_code for _ in range(4)]
    assert codes == [200, 502, 200, 502]
    assert len(old.asked) == 2


def test_a_half_that_fails_is_passed_on(halves):
    """Its 500 is a 500."""
    _, new, client = halves
    new.faults["/health"] = 500
    assert [client.get("/health").status_code for _ in range(4)] == [200, 500, 200, 500]


def test_it_ends_with_its_context():
    """Nobody listens there any more."""
    with served(FakeEngine()) as served_url, half_fleet(served_url, served_url) as url:
        assert httpx.get(f"{url}/health", trust_env=False).status_code == 200
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/health", trust_env=False)


@pytest.mark.parametrize("url", ["http://192.0.2.1:80", "https://127.0.0.1:80", "file:///x", "http://127.0.0.1.x:1"])
def test_only_servers_of_this_machine_are_asked(url):
    """A drill reaches nobody else."""
    with pytest.raises(InvalidInput, match="this machine"), half_fleet(url, "http://127.0.0.1:1"):
        pass
