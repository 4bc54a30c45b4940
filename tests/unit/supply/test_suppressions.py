"""Comments of acceptance: they count when they name the rule, and only at their place."""

import hashlib

import pytest

from lens_core.supply.suppressions import PINNED_DIGEST, comment_for

PIN = hashlib.sha256(b"an archive").hexdigest()


def named(secret):
    """How detect-secrets names what it found."""
    return hashlib.sha1(secret.encode(), usedforsecurity=False).hexdigest()


@pytest.mark.parametrize(
    ("scanner", "rule", "lines", "span", "comment"),
    [
        ("bandit", "B602", ["run(x)  # nosec B602"], (1, 1), "# nosec B602"),
        ("bandit", "B602", ["run(x)  # nosec: B101,B602 (why)"], (1, 1), "# nosec: B101,B602 (why)"),
        ("bandit", "B602", ["run(", "x)  # noqa: S602"], (1, 2), "# noqa: S602"),
        ("bandit", "B602", ["run(x)  # nosec"], (1, 1), ""),
        ("bandit", "B602", ["run(x)  # nosec B6021"], (1, 1), ""),
        ("bandit", "B602", ["# nosec B602", "run(x)"], (2, 2), ""),
        ("ruff", "S602", ["run(x)  # noqa: E501, S602  (why)"], (1, 1), "# noqa: E501, S602  (why)"),
        ("ruff", "S602", ["run(x)  # noqa"], (1, 1), ""),
        ("ruff", "S602", ["run(x)  # nosec B602"], (1, 1), ""),
        ("zizmor", "artipacked", ["x: y # zizmor: ignore[a,artipacked]"], (1, 1), "# zizmor: ignore[a,artipacked]"),
        ("zizmor", "artipacked", ["x: y # zizmor: ignore[a]"], (1, 1), ""),
        ("hadolint", "DL3", ["# hadolint ignore=DL2,DL3", "# why", "RUN x"], (3, 3), "# hadolint ignore=DL2,DL3"),
        (
            "hadolint",
            "DL3",
            ["# hadolint global ignore=DL3", "FROM a", "RUN x"],
            (3, 3),
            "# hadolint global ignore=DL3",
        ),
        ("hadolint", "DL3", ["# hadolint ignore=DL3", "FROM a", "RUN x"], (3, 3), ""),
        ("semgrep", "tls", ["# nosemgrep: tls", "get(x)"], (2, 2), "# nosemgrep: tls"),
        ("semgrep", "tls", ["get(x)  # nosemgrep"], (1, 1), ""),
        ("lint", "E501", ["x  # noqa: E501"], (1, 1), ""),
        ("bandit", "B602", [], (7, 9), ""),
    ],
)
def test_a_comment_counts_when_it_names_the_rule(scanner, rule, lines, span, comment):
    """The numbers of bandit and ruff are one; a comment that names no rule accepts nothing."""
    assert comment_for(scanner, rule, lines, span) == comment


@pytest.mark.parametrize(
    ("lines", "secret", "comment"),
    [
        (['k = "hunter2"  # pragma: allowlist secret'], "hunter2", "pragma: allowlist secret"),
        (["# pragma: allowlist nextline secret", 'k = "hunter2"'], "hunter2", "# pragma: allowlist nextline secret"),
        (["x = 1  # pragma: allowlist nextline secret", 'k = "hunter2"'], "hunter2", ""),
        ([f'sha256 = "{PIN}"'], PIN, PINNED_DIGEST),
        ([f'"sha256": "{PIN}",'], PIN, PINNED_DIGEST),
        ([f'"digest": "sha256:{PIN}"'], PIN, PINNED_DIGEST),
        ([f'token = "{PIN}"'], PIN, ""),
        ([f'sha256 = "{PIN}"; token = "hunter2"'], "hunter2", ""),
    ],
)
def test_a_secret_is_accepted_by_its_pragma_or_as_a_pinned_digest(lines, secret, comment):
    """Only the digest itself is let through on a line that pins one."""
    assert comment_for("detect-secrets", "x", lines, (len(lines), len(lines)), named(secret)) == comment
