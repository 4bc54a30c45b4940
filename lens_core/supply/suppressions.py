"""Which comment in the source accepts a finding.

Scanners are run with their comments of acceptance switched off, so that nothing is hidden; here the comments
are read and put beside the finding, where everybody sees them. A comment counts only if it names the rule.
"""

import hashlib
import re
from collections.abc import Sequence

from lens_core.supply.scanner_kinds import BANDIT, HADOLINT, RUFF, SECRETS, SEMGREP, ZIZMOR

PINNED_DIGEST = "the line pins a SHA-256 digest, which is public"
_NOSEC = re.compile(r"#\s*nosec\b(?P<rules>[^#]*)")
_NOQA = re.compile(r"#\s*noqa:(?P<rules>[^#]*)", re.IGNORECASE)
_ZIZMOR = re.compile(r"#\s*zizmor:\s*ignore\[(?P<rules>[^\]]*)\]")
_HADOLINT = re.compile(r"^\s*#\s*hadolint\s+(?:global\s+)?ignore\s*=(?P<rules>[\w,\s]*)")
_SEMGREP = re.compile(r"(?:#|//)\s*nosemgrep:(?P<rules>.*)")
_SECRET = re.compile(r"pragma: ?allowlist[ -]secret")
_NEXT_SECRET = re.compile(r"^\s*(?:#|//|--|<!--).*pragma: ?allowlist[ -]nextline[ -]secret")
_PIN = re.compile(r"sha-?256\W{1,6}(?:sha256[:-])?([0-9a-f]{64})\b", re.IGNORECASE)


def comment_for(scanner: str, rule: str, lines: Sequence[str], span: tuple[int, int], secret: str = "") -> str:
    """The comment that accepts ``rule`` at lines ``span`` (from 1, ends included) of a file, or "".

    bandit's ``B602`` and ruff's ``S602`` are one rule, so bandit's findings are accepted by either's
    comment. ``secret`` is the SHA-1 by which detect-secrets names what it found.
    """
    here = [lines[number - 1] for number in dict.fromkeys(span) if 0 < number <= len(lines)]
    before = lines[span[0] - 2] if 1 < span[0] <= len(lines) + 1 else ""
    if scanner == SECRETS:
        return _of_secret(here, before, secret)
    if scanner == BANDIT:
        return _naming(_NOSEC, rule, here) or _naming(_NOQA, "S" + rule.removeprefix("B"), here)
    if scanner == HADOLINT:
        return _naming(_HADOLINT, rule, _comments_above(lines, span[0]))
    if scanner == SEMGREP:
        return _naming(_SEMGREP, rule, [*here, before])
    pattern = {RUFF: _NOQA, ZIZMOR: _ZIZMOR}.get(scanner)  # lint honours its own comments
    return _naming(pattern, rule, here) if pattern else ""


def _naming(pattern: re.Pattern[str], rule: str, lines: Sequence[str]) -> str:
    for line in lines:
        for match in pattern.finditer(line):
            if rule in re.split(r"[\s,:()]+", match["rules"]):
                return line[match.start() :].strip()
    return ""


def _comments_above(lines: Sequence[str], number: int) -> list[str]:
    """The comments right above an instruction, and those that hold for the whole file."""
    above = [line for line in lines if re.match(r"\s*#\s*hadolint\s+global", line)]
    for line in reversed(lines[: number - 1]):
        if not line.lstrip().startswith("#"):
            break
        above.append(line)
    return above


def _of_secret(here: Sequence[str], before: str, secret: str) -> str:
    for line in here:
        if match := _SECRET.search(line):
            return line[match.start() :].strip()
        # A lock file full of digests cannot carry comments; only the digest itself is let through, by name.
        if any(hashlib.sha1(pin.encode(), usedforsecurity=False).hexdigest() == secret for pin in _PIN.findall(line)):
            return PINNED_DIGEST
    return before.strip() if _NEXT_SECRET.match(before) else ""
