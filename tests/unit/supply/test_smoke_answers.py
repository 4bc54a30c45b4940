"""What the evidence of a smoke run says: only the whole of it, of this very image, passes."""

import copy
import json

import pytest

from lens_core.model import Digest, Verdict
from lens_core.supply.smoke import CORPUS, FORMAT, GATES, QUESTIONS, answers

MANIFEST = Digest("sha256:" + "1" * 64)
OWN = "/tmp"  # noqa: S108  (a mount of the container's own)
GOOD = {
    "format": FORMAT,
    "image": {"manifest": str(MANIFEST), "config": "sha256:2", "loaded": "sha256:2"},
    "layers": {"files": 3000, "shells": [], "privileged": []},
    "indexed": {"exit_code": 0, "file_count": len(CORPUS)},
    "answers": [{"q": question, "hits": [path, "other"]} for question, path in QUESTIONS.items()],
    "health": {"status": "ok", "index_ready": True},
    "engine": {"health": "healthy", "user": "65532:65532", "read_only": True, "network": "none"},
    "inside": {
        "uid": 65532, "gid": 65532, "files": 3000, "shells": [], "privileged": [], "writable": [OWN],
        "capabilities": "0000000000000000", "no_new_privileges": True,
    },
}  # fmt: skip


def verdicts(body):
    """The verdict of each gate."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    found = answers(content, MANIFEST)
    assert tuple(answer.gate for answer in found) == GATES
    return {answer.gate: answer.verdict for answer in found}


def spoiled(value, *path):
    """GOOD with one value replaced."""
    body = copy.deepcopy(GOOD)
    inner = body
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = value
    return body


def test_a_run_as_expected_passes_every_gate():
    """The way in which a candidate gets further."""
    assert set(verdicts(GOOD).values()) == {Verdict.PASS}


def test_an_image_that_was_not_run_is_inconclusive():
    """No evidence is never a pass."""
    assert set(verdicts(b"").values()) == {Verdict.INCONCLUSIVE}


@pytest.mark.parametrize("content", [b"{", b"null", b"[]", b"{}", b'"x"', b"\xff", b'{"format":1,"image":[]}'])
def test_evidence_that_cannot_be_read_is_an_error(content):
    """Whatever it is, the gates answer; they never raise."""
    assert set(verdicts(content).values()) == {Verdict.ERROR}


@pytest.mark.parametrize(
    ("value", "path"),
    [
        (2, ("format",)),
        ("sha256:" + "9" * 64, ("image", "manifest")),
        ("sha256:9", ("image", "loaded")),
    ],
)
def test_evidence_of_another_image_is_an_error(value, path):
    """Yesterday's file, or a run of something that does not ship, proves nothing here."""
    assert set(verdicts(spoiled(value, *path)).values()) == {Verdict.ERROR}


@pytest.mark.parametrize(
    ("gate", "value", "path"),
    [
        ("image_smoke", [], ("answers",)),
        ("image_smoke", [], ("answers", 0, "hits")),
        ("image_smoke", ["other"], ("answers", 3, "hits")),
        ("image_smoke", 1, ("indexed", "exit_code")),
        ("image_smoke", 0, ("indexed", "file_count")),
        ("image_health", "starting", ("engine", "health")),
        ("image_health", "none", ("engine", "health")),
        ("image_health", {}, ("health",)),
        ("image_confinement", "", ("engine", "user")),
        ("image_confinement", "0:0", ("engine", "user")),
        ("image_confinement", "root", ("engine", "user")),
        ("image_confinement", 0, ("inside", "uid")),
        ("image_confinement", 0, ("inside", "gid")),
        ("image_confinement", True, ("inside", "uid")),
        ("image_confinement", False, ("engine", "read_only")),
        ("image_confinement", ["/", OWN], ("inside", "writable")),
        ("image_confinement", "00000000a80425fb", ("inside", "capabilities")),
        ("image_confinement", False, ("inside", "no_new_privileges")),
        ("image_confinement", "host", ("engine", "network")),
        ("image_contents", ["/bin/sh"], ("inside", "shells")),
        ("image_contents", ["usr/bin/dash"], ("layers", "shells")),
        ("image_contents", ["usr/bin/su"], ("layers", "privileged")),
        ("image_contents", 0, ("layers", "files")),
        ("image_contents", float("nan"), ("inside", "files")),
    ],
)
def test_each_broken_fact_fails_its_own_gate(gate, value, path):
    """One fact is one gate's business, and the others still pass."""
    found = verdicts(spoiled(value, *path))
    assert found.pop(gate) is Verdict.FAIL
    assert set(found.values()) == {Verdict.PASS}


def _paths(body, above=()):
    for name in body:
        yield (*above, name)
        if isinstance(body[name], dict):
            yield from _paths(body[name], (*above, name))


@pytest.mark.parametrize("path", list(_paths(GOOD)), ids="/".join)
def test_taking_any_part_away_never_helps(path):
    """Without one key, at least one gate does not pass any more."""
    body = copy.deepcopy(GOOD)
    inner = body
    for name in path[:-1]:
        inner = inner[name]
    del inner[path[-1]]
    assert Verdict.worst(verdicts(body).values()).value > Verdict.WAIVED.value
