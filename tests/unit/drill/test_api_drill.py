"""The cell ``api``: a candidate that keeps its word passes, and each way to break it turns the cell red."""

import json

import httpx
import pytest
from fake_engine import ADDITIVE, BREAKING, FakeEngine, add_parameter

from lens_core.adapters.api_requests import Recorder
from lens_core.drills.api_changes import NEW_CLIENT
from lens_core.drills.api_drill import Allowed, judge
from lens_core.drills.api_requests import ApiRequest, compat_requests, requests_of
from lens_core.drills.openapi import Document
from lens_core.errors import InvalidInput
from lens_core.model import Verdict
from lens_core.supply import canonical

SAMPLES = {("/search", "q"): ("parse header",), ("/outline", "path"): ("a.py",)}


def observed(old, new):
    """What an observation of two fakes holds, without a network between."""
    recorder, whose = Recorder(), {}
    golden = [ApiRequest("GET", "/search", (("q", text), ("limit", "50"))) for text in ("getUserName", "cart")]
    asked = [
        ("golden", golden),
        ("old", requests_of(Document(old.document), SAMPLES)),
        ("new", requests_of(Document(new.document), SAMPLES)),
        ("compat", compat_requests("/compat/check", [old.api_version, new.api_version], [1])),
    ]
    for by, requests in asked:
        for request in requests:
            whose.setdefault(request, set()).add(by)

    def answer(engine, request):
        code, media, body = engine.answer(request.method, request.path, list(request.query))
        return recorder.note(httpx.Response(code, headers={"content-type": media}, content=body))

    exchanges = [
        {"by": sorted(by), "method": each.method, "path": each.path, "query": [list(pair) for pair in each.query],
         "old": answer(old, each), "new": answer(new, each)}
        for each, by in whose.items()
    ]  # fmt: skip
    return {
        "format": 1, "old": {"document": old.document}, "new": {"document": new.document}, "exchanges": exchanges,
        "bodies": recorder.bodies,
    }  # fmt: skip


def judged(old, new, **options):
    """The cell's answer on two fakes."""
    return judge(canonical.encode(observed(old, new)), **options)


def test_a_candidate_that_keeps_its_word_passes():
    """The way in which it gets further; the counts say what that rests on."""
    answer = judged(FakeEngine(), FakeEngine())
    assert answer.verdict is Verdict.PASS
    assert answer.counts["breaking"] == answer.counts["additive"] == 0
    assert answer.counts["answers_compared"] == answer.counts["requests"] > 200
    assert answer.counts["by_golden"] == 2


@pytest.mark.parametrize("name", BREAKING)
def test_each_broken_word_turns_the_cell_red(name):
    """Whatever the document takes back, and the server keeps to."""
    answer = judged(FakeEngine(), FakeEngine(BREAKING[name]))
    assert answer.verdict is Verdict.FAIL
    assert any(each.breaking for each in answer.differences)


# A code that is no longer documented, and a null that no answer holds yet, are seen in documents only.
@pytest.mark.parametrize("name", sorted(BREAKING.keys() - {"drop_code", "nullable_field"}))
def test_each_broken_word_is_seen_in_the_answers_alone(name):
    """A server that changed and kept its old document is caught as well."""
    new = FakeEngine(BREAKING[name])
    seen = observed(FakeEngine(), new)
    seen["new"] = seen["old"]
    found = judge(canonical.encode(seen))
    assert found.verdict is Verdict.FAIL
    assert all(each.place.startswith("/answers/") for each in found.differences if each.breaking)


@pytest.mark.parametrize("name", ADDITIVE)
def test_an_addition_passes_and_is_named(name):
    """It breaks nobody."""
    answer = judged(FakeEngine(), FakeEngine(ADDITIVE[name]))
    assert answer.verdict is Verdict.PASS, answer.reason
    assert answer.counts["additive"]
    assert "not yet for a new client on the old server" in answer.reason


@pytest.mark.parametrize("path", ["/search", "/outline", "/stats", "/health", "/metrics", "/compat/check"])
def test_a_route_that_fails_turns_the_cell_red(path):
    """With 500 for what the old server answered."""
    new = FakeEngine()
    new.faults[path] = 500
    answer = judged(FakeEngine(), new)
    assert answer.verdict is Verdict.FAIL
    assert all(path.replace("/", "~1") in each.place for each in answer.differences if each.breaking)


def test_an_old_server_that_failed_does_not_blame_the_new_one():
    """What failed before and is answered now is an addition; that it was never answered is a gap."""
    old = FakeEngine()
    old.faults["/outline"] = 500
    answer = judged(old, FakeEngine())
    assert answer.verdict is Verdict.INCONCLUSIVE
    assert answer.counts["breaking"] == 0


def other_hits(engine, change):
    """The same fake with its ranking changed."""
    before = engine.hits
    engine.hits = lambda question, times: change(before(question, times))
    return engine


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        pytest.param(lambda hits: [*hits[1:4], hits[0], *hits[4:]], Verdict.PASS, id="moved by three"),
        pytest.param(lambda hits: [*hits[1:5], hits[0], *hits[5:]], Verdict.FAIL, id="moved by four"),
        pytest.param(lambda hits: [*hits[:-1], "other.py"], Verdict.PASS, id="another hit at the cut"),
        pytest.param(lambda hits: ["other.py", *hits[1:]], Verdict.FAIL, id="another first hit"),
        pytest.param(lambda hits: hits[:-1], Verdict.FAIL, id="one hit fewer"),
    ],
)
def test_hits_may_move_within_the_bound_only(change, verdict):
    """Sets are equal but for the cut."""
    assert judged(FakeEngine(), other_hits(FakeEngine(), change)).verdict is verdict


def test_the_bound_is_declared():
    """With none, no hit may move."""
    new = other_hits(FakeEngine(), lambda hits: [hits[1], hits[0], *hits[2:]])
    assert judged(FakeEngine(), new, rank_bound=0).verdict is Verdict.FAIL


def test_an_old_server_that_ignores_a_new_parameter_breaks_the_new_client():
    """It answers with success what was not asked."""
    old, new = FakeEngine(), FakeEngine(add_parameter)
    strict = old.values
    old.values = lambda parameters, pairs: strict(parameters, [each for each in pairs if each[0] != "reason"])
    plain = new.search
    new.search = lambda *, reason=None, **more: {**plain(**more), "total": 1 if reason else 12}
    answer = judged(old, new)
    assert answer.verdict is Verdict.FAIL
    assert "ignores what the new client asks" in answer.reason


@pytest.mark.parametrize(
    ("spoil", "word"),
    [
        pytest.param(lambda new: setattr(new, "fits", lambda _: True), "999.0", id="takes the impossible"),
        pytest.param(lambda new: setattr(new, "fits", lambda asked: asked != "1.0"), "1.0", id="refuses the old"),
        pytest.param(lambda new: setattr(new, "api_version", "2.0"), "1.0", id="has another major version"),
    ],
)
def test_a_new_server_must_say_truly_what_fits(spoil, word):
    """To the old client yes, to impossible versions no."""
    new = FakeEngine()
    spoil(new)
    answer = judged(FakeEngine(), new)
    assert answer.verdict is Verdict.FAIL
    assert any("compatible" in each.place and word in each.why for each in answer.differences)


def test_an_old_server_that_takes_the_impossible_breaks_the_new_client():
    """Whoever asks it before going on would go on."""
    old = FakeEngine()
    old.fits = lambda _: True
    answer = judged(old, FakeEngine())
    assert answer.verdict is Verdict.FAIL
    assert {each.whom for each in answer.differences if each.breaking} == {(NEW_CLIENT,)}


def test_a_no_without_a_reason_is_red():
    """Whoever is refused must know why."""
    new = FakeEngine()
    plain = new.compat_check
    new.compat_check = lambda **asked: {**plain(**asked), "reasons": []}
    assert "says no and gives no reason" in judged(FakeEngine(), new).reason


def changed(seen, path, **answer):
    """The first successful exchange of ``path`` with another answer of the new server."""
    exchange = next(each for each in seen["exchanges"] if each["path"] == path and each["old"]["code"] == 200)
    if "value" in answer:
        seen["bodies"]["changed"] = {"value": answer.pop("value")}
        answer["body"] = "changed"
    exchange["new"] = {**exchange["new"], **answer}
    return exchange


def test_json_that_cannot_be_read_is_red():
    """A client that parses it breaks."""
    seen = observed(FakeEngine(), FakeEngine())
    seen["bodies"]["torn"] = {"unreadable": "JSONDecodeError"}
    changed(seen, "/health", body="torn")
    answer = judge(canonical.encode(seen))
    assert answer.verdict is Verdict.FAIL
    assert "cannot be read" in answer.reason


def test_an_answer_that_the_old_document_does_not_promise_is_red():
    """Its value may differ, its kind may not; a server that promises the new kind is held to it too."""
    health = {"status": "ok", "version": "2", "uptime_seconds": 0, "index_ready": True}
    seen = observed(FakeEngine(), FakeEngine())
    changed(seen, "/health", value={**health, "version": "3"})
    assert judge(canonical.encode(seen)).verdict is Verdict.PASS
    changed(seen, "/health", value={**health, "version": 3})
    kinds = {each.kind for each in judge(canonical.encode(seen)).differences}
    assert {"promise", "own promise", "type"} <= kinds


@pytest.mark.parametrize("side", ["old", "new"])
def test_each_document_is_held_against_real_answers(side):
    """A field that a document requires and no answer has is seen, whichever document that is."""
    seen = observed(FakeEngine(), FakeEngine())
    document = json.loads(json.dumps(seen[side]["document"]))
    document["components"]["schemas"]["StatsBody"]["properties"]["file_count"]["type"] = "string"
    seen[side] = {"document": document}
    kinds = {each.kind for each in judge(canonical.encode(seen)).differences if each.place.startswith("/answers")}
    assert kinds == ({"own promise"} if side == "new" else set())


def test_a_media_type_that_is_not_promised_is_red():
    """Both servers may agree on it; the new one's document does not have it."""
    seen = observed(FakeEngine(), FakeEngine())
    exchange = changed(seen, "/health", media="text/html")
    exchange["old"]["media"] = "text/html"
    assert judge(canonical.encode(seen)).verdict is Verdict.FAIL


@pytest.mark.parametrize(
    ("old_code", "new_code", "verdict"),
    [(400, 200, Verdict.PASS), (500, 200, Verdict.FAIL), (400, 500, Verdict.FAIL), (400, 0, Verdict.FAIL)],
)
def test_what_only_a_new_client_asks_is_refused_or_answered_and_breaks_nobody(old_code, new_code, verdict):
    """An old server may say no; it must not fall over, and the new one must not either."""
    seen = observed(FakeEngine(), FakeEngine(add_parameter))
    exchange = next(each for each in seen["exchanges"] if each["by"] == ["new"])
    exchange["old"]["code"], exchange["new"]["code"] = old_code, new_code
    assert judge(canonical.encode(seen)).verdict is verdict


def test_an_old_document_without_operations_promises_nothing():
    """So nothing can be held to it."""
    seen = observed(FakeEngine(), FakeEngine())
    seen["old"] = {"document": {"openapi": "3.1.0", "paths": {}}}
    answer = judge(canonical.encode(seen))
    assert answer.verdict is Verdict.INCONCLUSIVE
    assert "no operations" in answer.reason


def test_a_newer_minor_version_is_no_break():
    """An old server that refuses it says the truth."""
    assert judged(FakeEngine(), FakeEngine(api_version="1.1")).verdict is Verdict.PASS


def test_an_allowed_change_is_waived_with_its_reason():
    """All of its places must be named; one that does not differ is told."""
    answer = judged(FakeEngine(), FakeEngine(BREAKING["drop_code"]))
    [broken] = [each for each in answer.differences if each.breaking]
    allowed = [Allowed(broken.place, "nobody reads it"), Allowed("/paths/~1gone", "long ago")]
    waived = judged(FakeEngine(), FakeEngine(BREAKING["drop_code"]), allowed=allowed)
    assert waived.verdict is Verdict.WAIVED
    assert "nobody reads it" in waived.reason
    assert "/paths/~1gone is allowed and does not differ" in waived.reason
    assert judged(FakeEngine(), FakeEngine(BREAKING["drop_route"]), allowed=allowed).verdict is Verdict.FAIL


@pytest.mark.parametrize("reason", ["", "  "])
def test_nothing_is_allowed_without_a_reason(reason):
    """Whoever allows it says why."""
    with pytest.raises(InvalidInput):
        Allowed("/paths/~1search", reason)


def test_nothing_observed_is_inconclusive():
    """No evidence is never a pass."""
    assert judge(b"").verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("kind", ["old", "new", "golden", "compat"])
def test_what_was_not_asked_is_not_known(kind):
    """A kind of request that is missing leaves the cell inconclusive."""
    seen = observed(FakeEngine(), FakeEngine())
    for each in seen["exchanges"]:
        each["by"] = [by for by in each["by"] if by != kind]
    assert judge(canonical.encode(seen)).verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("path", ["/search", "/outline", "/health"])
def test_an_operation_that_never_succeeded_is_not_known(path):
    """Whatever is taken out of the evidence, it does not pass."""
    seen = observed(FakeEngine(), FakeEngine())
    seen["exchanges"] = [each for each in seen["exchanges"] if each["path"] != path]
    assert not judge(canonical.encode(seen)).verdict.advances


def test_two_contents_prove_nothing_of_equal_answers():
    """The shapes are compared, and the cell stays inconclusive."""
    new = other_hits(FakeEngine(), lambda hits: hits[:3])
    new.content = "another"
    answer = judged(FakeEngine(), new)
    assert answer.verdict is Verdict.INCONCLUSIVE
    assert answer.counts["breaking"] == 0
    new = FakeEngine(BREAKING["retype_field"])
    new.content = "another"
    assert judged(FakeEngine(), new).verdict is Verdict.FAIL


def test_another_analyzer_frees_the_hits_and_nothing_else():
    """What it finds is judged elsewhere; that it finds as many as it is asked for is not."""
    new = other_hits(FakeEngine(), lambda hits: hits[::-1])
    new.analyzer = "another"
    assert judged(FakeEngine(), new).verdict is Verdict.PASS
    new = FakeEngine(BREAKING["change_default"])
    new.analyzer = "another"
    assert judged(FakeEngine(), new).verdict is Verdict.FAIL


def test_an_old_server_that_does_not_answer_is_an_error():
    """There is nothing to hold the new one against; a new one that hangs up fails."""
    seen = observed(FakeEngine(), FakeEngine())
    seen["exchanges"][0]["old"]["code"] = 0
    assert judge(canonical.encode(seen)).verdict is Verdict.ERROR
    seen = observed(FakeEngine(), FakeEngine())
    seen["exchanges"][0]["new"]["code"] = 0
    assert judge(canonical.encode(seen)).verdict is Verdict.FAIL


@pytest.mark.parametrize(
    "content", [b"{", b"null", b"[]", b"{}", b"\xff", b'{"format":2}', b'{"format":1,"old":3}', b"NaN"], ids=repr
)
def test_an_observation_that_cannot_be_read_is_an_error(content):
    """Whatever it is, the cell answers; it never raises."""
    assert judge(content).verdict is Verdict.ERROR


@pytest.mark.parametrize("side", ["old", "new"])
@pytest.mark.parametrize("document", [None, {}, {"openapi": "3.0.2"}], ids=["none", "empty", "older"])
def test_a_document_that_cannot_be_read_is_an_error(side, document):
    """A server without one has made no promise that could be kept."""
    seen = observed(FakeEngine(), FakeEngine())
    seen[side] = {"document": document}
    assert judge(canonical.encode(seen)).verdict is Verdict.ERROR


def test_no_single_exchange_can_be_spoiled_into_an_exception():
    """Every member of an exchange, taken away or replaced, is answered for."""
    seen = observed(FakeEngine(), FakeEngine())
    for name in ("by", "method", "path", "query", "old", "new"):
        for value in (None, 1, [], {}):
            exchange = {**seen["exchanges"][0], name: value}
            spoiled = {**seen, "exchanges": [exchange, *seen["exchanges"][1:]]}
            assert isinstance(judge(json.dumps(spoiled).encode()).verdict, Verdict)
