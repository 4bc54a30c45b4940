"""What a scanner printed → what it saw. One reader per tool; bytes in, values out.

A reader believes nothing by default: a file counts as scanned only when the output itself says so, because
most scanners skip a file that they cannot read and still end well.

- bandit: a file stands in ``metrics`` and is not among the notifications of files that were skipped.
- ruff: the log says ``Checking: FILE``, no warning says that it failed, and no finding says invalid syntax.
- detect-secrets: the log says ``Checking file: FILE``.
- zizmor: the log says ``completed FILE``.
- hadolint names no files that it finds nothing in. It is asked to require a label that nobody sets: the
  finding that this gives (DL3049) proves, file by file, that rules ran, and is then taken out.
- semgrep: a file stands in ``paths.scanned`` and in no error.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from lens_core.supply.words import Severity

PROOF_LABEL = "proof-of-reading"
"""The label that hadolint is told to require."""
AS_TEXT = "as-text/"
"""Below the scratch folder: text files that detect-secrets would skip by their suffix, with ``.txt`` behind."""
_GUESSES = {"Base64 High Entropy String", "Hex High Entropy String", "Secret Keyword"}
_MILD_S = frozenset(
    [f"S{number}" for number in (101, 105, 106, 107, 110, 112, 311, 404, 603, 606, 607)]
    + [f"S{number}" for number in range(401, 416)]
)
"""ruff's ``S`` rules that bandit, where they come from, calls low. ruff itself knows no severity."""
_NAMES = {"bandit": "Bandit", "ruff": "ruff", "lint": "ruff", "zizmor": "zizmor", "hadolint": "Hadolint"}


@dataclass(frozen=True, slots=True)
class Output:
    """What the process left: streams, what the tool said when asked for its rules, and where the tree lay."""

    stdout: bytes
    stderr: str
    about: str
    root: str


@dataclass(frozen=True, slots=True)
class Raw:
    """One finding as the tool gave it; ``path`` is below the scratch folder, lines count from 1."""

    path: str
    line: int
    end_line: int
    rule: str
    severity: Severity
    message: str
    secret: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a run saw: which tool, in which version, ran which rules over which files, and found what."""

    tool: str
    version: str
    rules: frozenset[str]
    scanned: frozenset[str]
    found: tuple[Raw, ...]


def read_output(scanner: str, output: Output) -> Seen:
    """Read what ``scanner`` printed; ValueError when it is not what that tool prints."""
    try:
        text = output.stdout.decode("utf-8")
        return _READERS[scanner](json.loads(text), output)
    except (KeyError, TypeError, AttributeError, IndexError, ValueError, RecursionError) as error:
        raise ValueError(f"{type(error).__name__}: {error}, in what begins with {output.stdout[:60]!r}") from error


def _sarif_run(log: Mapping[str, Any], scanner: str) -> Mapping[str, Any]:
    if log["version"] != "2.1.0":
        raise ValueError(f"expected SARIF 2.1.0, saw {log['version']!r}")
    (run,) = log["runs"]
    name = run["tool"]["driver"]["name"]
    if name != _NAMES[scanner]:
        raise ValueError(f"expected the SARIF of {_NAMES[scanner]}, saw that of {name!r}")
    found: Mapping[str, Any] = run
    return found


def _raws(run: Mapping[str, Any], root: str, severity: Callable[[Mapping[str, Any]], Severity]) -> tuple[Raw, ...]:
    return tuple(_raw(entry, root, severity(entry)) for entry in run["results"])


def _raw(entry: Mapping[str, Any], root: str, severity: Severity) -> Raw:
    place = entry["locations"][0]["physicalLocation"]
    region = place["region"]
    first = max(1, int(region["startLine"]))  # some tools say 0 for the whole file
    return Raw(
        path=_below(unquote(place["artifactLocation"]["uri"]), root),
        line=first,
        end_line=int(region.get("endLine", first)),
        rule=str(entry["ruleId"]).removeprefix("zizmor/"),
        severity=severity,
        message=str(entry["message"]["text"]),
    )


def _below(path: str, root: str) -> str:
    return path.removeprefix("file://").removeprefix(root + "/").removeprefix("./")


def _bandit(log: Mapping[str, Any], output: Output) -> Seen:
    run = _sarif_run(log, "bandit")
    (invocation,) = run["invocations"]
    skipped = {
        unquote(place["physicalLocation"]["artifactLocation"]["uri"])
        for note in invocation.get("toolConfigurationNotifications", ())
        for place in note["locations"]
    }
    scanned = {_below(path, output.root) for path in run["properties"]["metrics"] if path != "_totals"}

    def severity(entry: Mapping[str, Any]) -> Severity:
        return _severity(entry["properties"]["issue_severity"])

    return Seen(
        "bandit",
        run["tool"]["driver"]["version"],
        frozenset(re.findall(r"^\s+(B\d{3})\s", output.about, re.MULTILINE)),
        frozenset(scanned - {_below(path, output.root) for path in skipped}),
        _raws(run, output.root, severity),
    )


def _ruff(log: Mapping[str, Any], output: Output) -> Seen:
    run = _sarif_run(log, "ruff")
    found = _raws(run, output.root, lambda entry: Severity.LOW if entry["ruleId"] in _MILD_S else Severity.HIGH)
    looked = {_below(path, output.root) for path in re.findall(r"\bChecking: (.+)$", output.stderr, re.MULTILINE)}
    failed = {
        _below(path, output.root) for path in re.findall(r"Failed to \w+ (.+?): ", output.stderr, re.MULTILINE)
    } | {raw.path for raw in found if raw.rule in {"invalid-syntax", "E902"}}
    return Seen(
        "ruff",
        run["tool"]["driver"]["version"],
        frozenset(re.findall(r"\(([A-Z]+\d+)\),?$", _enabled(output.about), re.MULTILINE)),
        frozenset(looked - failed),
        found,
    )


def _enabled(settings: str) -> str:
    return settings.partition("linter.rules.enabled = [")[2].partition("]")[0]


def _secrets(document: Mapping[str, Any], output: Output) -> Seen:
    found = tuple(
        Raw(
            path=_own_name(path),
            line=max(1, int(entry["line_number"])),
            end_line=max(1, int(entry["line_number"])),
            rule=str(entry["type"]),
            severity=Severity.MEDIUM if entry["type"] in _GUESSES else Severity.HIGH,
            message="looks like a secret",
            secret=str(entry["hashed_secret"]),
        )
        for path, entries in document["results"].items()
        for entry in entries
    )
    looked = re.findall(r"\bChecking file: (.+)$", output.stderr, re.MULTILINE)
    return Seen(
        "detect-secrets",
        str(document["version"]),
        frozenset(str(plugin["name"]) for plugin in document["plugins_used"]),
        frozenset(_own_name(path) for path in looked),
        found,
    )


def _own_name(path: str) -> str:
    return path.removeprefix(AS_TEXT).removesuffix(".txt") if path.startswith(AS_TEXT) else path


def _zizmor(log: Mapping[str, Any], output: Output) -> Seen:
    run = _sarif_run(log, "zizmor")
    return Seen(
        "zizmor",
        run["tool"]["driver"]["version"],
        frozenset(re.findall(r"zizmor: scheduling (\S+) on ", output.stderr)),
        frozenset(_below(path, output.root) for path in re.findall(r"completed (.+)$", output.stderr, re.MULTILINE)),
        _raws(run, output.root, lambda entry: _severity(entry["properties"]["zizmor/severity"])),
    )


def _hadolint(log: Mapping[str, Any], output: Output) -> Seen:
    run = _sarif_run(log, "hadolint")
    levels = {"error": Severity.HIGH, "warning": Severity.MEDIUM, "note": Severity.LOW}
    found = _raws(run, output.root, lambda entry: levels.get(entry["level"], Severity.UNKNOWN))
    proofs = {raw for raw in found if raw.rule == "DL3049" and PROOF_LABEL in raw.message}
    return Seen(
        "hadolint",
        run["tool"]["driver"]["version"],
        frozenset(raw.rule for raw in found),  # it lists none; those that fired are known to have run
        frozenset(raw.path for raw in proofs),  # a file that cannot be parsed gives none
        tuple(raw for raw in found if raw not in proofs),
    )


def _semgrep(document: Mapping[str, Any], _output: Output) -> Seen:
    levels = {"ERROR": "HIGH", "WARNING": "MEDIUM", "INFO": "LOW"}
    found = tuple(
        Raw(
            path=entry["path"],
            line=int(entry["start"]["line"]),
            end_line=int(entry["end"]["line"]),
            rule=str(entry["check_id"]).rpartition(".")[2],
            severity=_severity(levels.get(entry["extra"]["severity"], entry["extra"]["severity"])),
            message=str(entry["extra"]["message"]),
        )
        for entry in document["results"]
    )
    broken = {str(error.get("path", "")) for error in document["errors"]}
    return Seen(
        "semgrep",
        str(document["version"]),
        frozenset(str(rule).rpartition(".")[2] for rule in document["time"]["rules"]),
        frozenset(set(document["paths"]["scanned"]) - broken),
        found,
    )


def _severity(word: str) -> Severity:
    """``HIGH``, ``High``, ``Informational`` …; a word that is not known is UNKNOWN, which blocks."""
    known = {"informational": "low"}.get(word.lower(), word.lower())
    return Severity(known) if known in set(Severity) else Severity.UNKNOWN


_READERS: Mapping[str, Callable[[Mapping[str, Any], Output], Seen]] = {
    "bandit": _bandit,
    "ruff": _ruff,
    "lint": _ruff,
    "detect-secrets": _secrets,
    "zizmor": _zizmor,
    "hadolint": _hadolint,
    "semgrep": _semgrep,
}
