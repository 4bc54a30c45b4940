"""The requests that a document's client would send: the same every time, at every bound and beyond it."""

from fake_engine import engine_document

from lens_core.drills.api_requests import ApiRequest, compat_requests, requests_of
from lens_core.drills.openapi import Document

SAMPLES = {("/search", "q"): ("getUserName",), ("/outline", "path"): ("a.py",)}


def made(most=300):
    """Of the engine's own document."""
    return requests_of(Document(engine_document()), SAMPLES, most)


def asked(path, name):
    """Every value of one parameter."""
    return {value for each in made() if each.path == path for key, value in each.query if key == name}


def test_the_engine_gets_some_hundred_requests_and_the_same_every_time():
    """A drill that is repeated asks the same."""
    assert 100 <= len(made()) <= 300
    assert made() == made()
    assert len(set(made())) == len(made())


def test_parameters_are_asked_at_their_bounds_and_beyond():
    """What an old client sends is what the old document lets it."""
    assert {"1", "100", "0", "101", "x", "", "10"} <= asked("/search", "limit")
    assert {"python", "svelte", "no-such-value"} <= asked("/search", "language")
    assert {len(value) for value in asked("/search", "q")} >= {0, 1, 512, 513}
    assert {"true", "false", "maybe"} <= asked("/search", "symbols")


def test_missing_unknown_and_repeated_parameters_are_asked():
    """A client can be wrong in other ways too."""
    queries = [each.query for each in made() if each.path == "/search" and each.method == "GET"]
    assert () in queries
    assert any(name == "no_such_parameter" for query in queries for name, _ in query)
    assert any(len({name for name, _ in query}) < len(query) for query in queries)


def test_every_path_and_one_that_is_not_there_is_asked():
    """With methods that are not there either."""
    paths = set(engine_document()["paths"])
    assert {each.path for each in made() if each.method == "GET"} == {*paths, "/no-such-path"}
    assert {each.path for each in made() if each.method == "POST"} == paths


def test_a_bound_takes_from_every_operation():
    """However few there are, each path is asked."""
    assert {each.path for each in made(6)} == set(engine_document()["paths"])


def test_versions_are_asked_alone_together_and_impossible():
    """Both directions: the old one's and the new one's."""
    found = compat_requests("/compat/check", ["1.0", "1.1", "1.0"], [1, 2])
    queries = {each.query for each in found}
    assert found[0] == ApiRequest("GET", "/compat/check")
    assert {(("api_version", "1.0"),), (("api_version", "1.1"),), (("api_version", "999.0"),)} <= queries
    assert {(("index_version", "2"),), (("index_version", "one"),)} <= queries
    assert (("api_version", "1.1"), ("index_version", "2")) in queries
    assert len(queries) == len(found)
