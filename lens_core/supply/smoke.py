"""What a smoke run of the engine's image is asked, and what its evidence says: ``image-smoke.json`` → Answers.

The container indexes ``CORPUS`` itself and is then asked ``QUESTIONS``, whose first hits are known. The evidence
has no times and no names of containers, so two runs of one image give the same bytes.
"""

import hashlib
import json
from collections.abc import Callable
from typing import Any

from lens_core.model import Answer, Digest, Verdict

FORMAT = 1
PORT = 7700
"""Where the image serves, as its Dockerfile says."""
CORPUS = {
    "billing/invoice.py": (
        "class InvoiceLedger:\n"
        '    """Keeps the invoices of a customer."""\n\n'
        "    def outstanding_balance(self, invoices):\n"
        "        return sum(invoice.amount for invoice in invoices if not invoice.paid)\n\n\n"
        "def parse_due_date(text):\n"
        '    day, month, year = text.split(".")\n'
        "    return int(year), int(month), int(day)\n"
    ),
    "web/retry.js": (
        "export function retryWithBackoff(task, attempts) {\n"
        "  return task().catch((error) => {\n"
        "    if (attempts <= 1) throw error;\n"
        "    return retryWithBackoff(task, attempts - 1);\n"
        "  });\n"
        "}\n"
    ),
    "web/session.ts": (
        "export interface SessionToken { readonly value: string; readonly expiresAt: number }\n\n"
        "export class SessionStore {\n"
        "  private readonly tokens = new Map<string, SessionToken>();\n\n"
        "  renewToken(user: string, now: number): SessionToken {\n"
        '    const fresh = { value: user + ":" + now, expiresAt: now + 3600 };\n'
        "    this.tokens.set(user, fresh);\n"
        "    return fresh;\n"
        "  }\n"
        "}\n"
    ),
}
"""A source tree of three languages, by path: one parser each that must have come into the image whole."""
QUESTIONS = {
    "InvoiceLedger": "billing/invoice.py",
    "outstanding balance": "billing/invoice.py",
    "parse_due_date": "billing/invoice.py",
    "retryWithBackoff": "web/retry.js",
    "renewToken": "web/session.ts",
    '"expiresAt: now + 3600"': "web/session.ts",
}
"""What is asked, and the path of the first hit: names, words, and an exact piece of text."""
GATES = ("image_smoke", "image_health", "image_confinement", "image_contents")
"""The gates that this evidence answers."""


def answers(evidence: bytes, manifest: Digest) -> tuple[Answer, ...]:
    """What ``evidence`` says of the image with the digest ``manifest``, one Answer for each of ``GATES``.

    No evidence is INCONCLUSIVE; evidence that cannot be read, of another image, or with a part missing is ERROR.
    """
    if not evidence:
        return tuple(Answer(gate, "", Verdict.INCONCLUSIVE, "the image was not run") for gate in GATES)
    digest = f"sha256:{hashlib.sha256(evidence).hexdigest()}"
    judges = (_questions, _health, _confinement, _contents)
    try:
        body = json.loads(evidence)
        problem = _foreign(body, manifest)
    except (ValueError, KeyError, TypeError) as error:
        body, problem = {}, f"the evidence cannot be read ({type(error).__name__})"
    if problem:
        return tuple(Answer(gate, "", Verdict.ERROR, problem, evidence=digest) for gate in GATES)
    return tuple(_judged(gate, judge, body, digest) for gate, judge in zip(GATES, judges, strict=True))


def _foreign(body: dict[str, Any], manifest: Digest) -> str:
    if body["format"] != FORMAT:
        return f"expected evidence of format {FORMAT}, saw {body['format']}"
    if body["image"]["manifest"] != str(manifest):
        return f"the evidence is of another image, {body['image']['manifest']}"
    if body["image"]["loaded"] != body["image"]["config"]:
        return f"what ran was {body['image']['loaded']}, not the image that ships"
    return ""


_Judge = Callable[[dict[str, Any]], tuple[list[str], int, int]]
"""From evidence to: what is wrong, how much was right, out of how much."""


def _judged(gate: str, judge: _Judge, body: dict[str, Any], digest: str) -> Answer:
    try:
        wrong, right, asked = judge(body)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        reason = f"the evidence lacks a part that this gate needs ({error})"
        return Answer(gate, "", Verdict.ERROR, reason, evidence=digest)
    if not asked:
        return Answer(gate, "", Verdict.INCONCLUSIVE, "nothing was asked", evidence=digest)
    reason = "; ".join(wrong) or f"{right} of {asked} as expected"
    verdict = Verdict.PASS if right == asked and not wrong else Verdict.FAIL
    return Answer(gate, "", verdict, reason, right / asked, 1.0, asked, digest, "≥")


def _questions(body: dict[str, Any]) -> tuple[list[str], int, int]:
    hits = {item["q"]: item["hits"] for item in body["answers"]}
    wrong = []
    for question, path in QUESTIONS.items():
        found = hits.get(question)
        if not found or found[0] != path:
            wrong.append(f"{question}: expected {path} first, saw {found[0] if found else 'no hit'}")
    if body["indexed"] != {"exit_code": 0, "file_count": len(CORPUS)}:
        wrong.append(f"the container indexed {body['indexed']}, expected {len(CORPUS)} files")
    return wrong, len(QUESTIONS) + 1 - len(wrong), len(QUESTIONS) + 1


def _health(body: dict[str, Any]) -> tuple[list[str], int, int]:
    facts = {"by the image's own check": body["engine"]["health"] == "healthy"}
    facts["over HTTP"] = body["health"] == {"status": "ok", "index_ready": True}
    return _counted({f"not healthy {name}": holds for name, holds in facts.items()})


def _confinement(body: dict[str, Any]) -> tuple[list[str], int, int]:
    engine, inside = body["engine"], body["inside"]
    return _counted({
        f"the image's user is {engine['user']!r}": str(engine["user"]).split(":")[0] not in {"", "0", "root"},
        f"it runs as uid {inside['uid']}, gid {inside['gid']}": _positive(inside["uid"]) and _positive(inside["gid"]),
        "the root file system can be written": engine["read_only"] is True,
        f"it can write to {inside['writable']}": inside["writable"] == ["/tmp"],  # noqa: S108  (a mount of its own)
        f"it has capabilities {inside['capabilities']}": int(inside["capabilities"], 16) == 0,
        "it may gain privileges": inside["no_new_privileges"] is True,
        f"it has the network {engine['network']}": engine["network"] == "none",
    })  # fmt: skip


def _contents(body: dict[str, Any]) -> tuple[list[str], int, int]:
    layers, inside = body["layers"], body["inside"]
    shells, privileged = [*layers["shells"], *inside["shells"]], [*layers["privileged"], *inside["privileged"]]
    return _counted({
        "the layers have no file": _positive(layers["files"]),
        "no file was seen inside": _positive(inside["files"]),
        f"there is a shell: {', '.join(map(str, shells))}": not shells,
        f"files run with others' rights: {', '.join(map(str, privileged))}": not privileged,
    })  # fmt: skip


def _positive(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _counted(facts: dict[str, bool]) -> tuple[list[str], int, int]:
    """``facts`` maps what is wrong, if it does not hold, to whether it holds."""
    wrong = [name for name, holds in facts.items() if not holds]
    return wrong, len(facts) - len(wrong), len(facts)
