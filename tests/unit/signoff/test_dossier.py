"""What lapses an approval, and what does not."""

from dataclasses import replace

import pytest

from lens_core.signoff.dossier import difference
from lens_core.signoff.words import Dossier

SIGNED = Dossier(
    *("1.0.0-rc.1", "sha256:c", "sha256:i", "sha256:m", "sha256:s", "sha256:p", "sha256:g", ("n1 r1",), "sha256:d"),
    *("yes", "low: trend medium, margin low", ("night sha256:n",), (), ()),
)


def test_nothing_changed_is_no_difference():
    """The same dossier says nothing."""
    assert difference(SIGNED, replace(SIGNED)) == ""


@pytest.mark.parametrize(
    ("risk", "lapses"),
    [
        ("low: trend low, margin low", False),
        ("low: margin low", False),
        ("low: trend high, margin low", True),
        ("low: trend medium, margin medium", True),
        ("low: trend medium, margin low, alerts low", True),
        ("medium: trend medium, margin low", True),
        ("low: trend medium, margin what", True),
        ("", True),
    ],
)
def test_a_factor_of_the_risk_counts_where_it_got_worse(risk, lapses):
    """A better factor lapses nothing; a worse one, a new one, another level, and words nobody knows do."""
    assert bool(difference(SIGNED, replace(SIGNED, risk=risk))) is lapses


@pytest.mark.parametrize("name", ["manifest", "sbom", "provenance", "gates", "drill", "rollback_safe", "image"])
def test_every_other_fact_counts(name):
    """Each fact that was signed is named when it is another one."""
    assert "changed" in difference(SIGNED, replace(SIGNED, **{name: "sha256:other"}))


@pytest.mark.parametrize("name", ["nights", "policies", "waivers", "findings"])
def test_what_came_and_went_is_named(name):
    """Lists say what is new in them."""
    assert "with sha256:new" in difference(SIGNED, replace(SIGNED, **{name: ("sha256:new",)}))
