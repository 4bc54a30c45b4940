"""The commands of the sign-off on a home with real evidence, real keys and the real ledger."""

import json

import pytest
import typer
from ready_home import CUTTER, PEOPLE, VERSION, make_ready_home
from typer.testing import CliRunner

from lens_core.errors import InvalidInput, SignoffRefused
from lens_core.glass_cli import glass_app
from lens_core.signature_bootstrap import open_portal_signer
from lens_core.signoff.words import Act, Method, Role
from lens_core.signoff_bootstrap import open_signoff
from lens_core.signoff_cli import approvals, approve, comment, reject, revoke, waive

WHY = ("--reason", "I looked at all of it")
PURL = "pkg:pypi/thing@1.0"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A home that lacks nothing but approvals; nobody writes to this one."""
    return make_ready_home(tmp_path_factory.mktemp("made") / "ready")


@pytest.fixture
def ready(made, tmp_path, monkeypatch):
    """A copy of it, named by the environment, in which nobody has stated anything."""
    home = made.copy(tmp_path / "ready")
    for name, value in home.environment.items():
        monkeypatch.setenv(name, value)
    return home


@pytest.fixture
def lens(ready):
    """Run a command as somebody: by their key, and without being asked."""
    app = typer.Typer()
    for command in (approve, reject, revoke, comment, waive, approvals):
        app.command()(command)
    app.add_typer(glass_app, name="break-glass")

    def run(*words, role=None, person="", answer=None, yes=True):
        who = person or (PEOPLE[role] if role else "")
        signed = ("--key", str(ready.key(who)), "--person", who, *(("--yes",) if yes else ())) if who else ()
        done = CliRunner().invoke(app, [*words, *signed], input=answer)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done

    return run


def all_approve(lens):
    """One approval by each role."""
    for role in Role:
        lens("approve", *WHY, role=role)


def test_four_commands_make_a_candidate_ready(ready, lens):
    """Each shows what is signed and what was recorded; then the candidate may be promoted, and the list says so."""
    for role in Role:
        done = lens("approve", VERSION, *WHY, role=role)
        for part in (
            VERSION,
            str(ready.candidate().digest),
            PEOPLE[role],
            "I looked at all of it",
            "✓ recorded sha256:",
        ):
            assert part in done.output
    assert open_signoff().readiness().ready
    listed = lens("approvals").output
    assert listed.count("✓ holds") == 4
    document = json.loads(lens("approvals", "--json").output)
    assert [one["role"] for one in document["approvals"]] == [str(role) for role in Role]
    assert all(one["holds"] for one in document["approvals"])
    assert len(document["statements"]) == 4


def test_it_asks_before_it_signs(lens):
    """Whoever says no has signed nothing; whoever says yes has."""
    assert lens("approve", *WHY, role=Role.QA, yes=False, answer="n\n").exit_code == 1
    assert "nobody approved it yet" in lens("approvals").output
    assert lens("approve", *WHY, role=Role.QA, yes=False, answer="y\n").exit_code == 0
    assert "✓ holds" in lens("approvals").output


def test_as_json_the_record_is_all_that_is_printed(lens):
    """The statement with its digest, key and person, as one document on standard output."""
    document = json.loads(lens("comment", *WHY, "--json", role=Role.QA).stdout)
    assert document["statement"]["act"] == "comment"
    assert document["statement"]["person"] == PEOPLE[Role.QA]
    assert document["key"].startswith("SHA256:")


def test_what_would_not_count_is_not_signed(ready, lens):
    """The cutter's own approval, and a second one for a role, are refused before a key is touched."""
    lens("approve", *WHY, role=Role.QA)
    ready.key(PEOPLE[Role.QA]).unlink()
    with pytest.raises(SignoffRefused, match="this approve would not count") as caught:
        lens("approve", *WHY, role=Role.QA)
    assert caught.value.blockers[0].startswith("double: ")
    with pytest.raises(InvalidInput, match=f"names nobody like {CUTTER}"):
        lens("approve", *WHY, "--key", str(ready.key(PEOPLE[Role.SECURITY])))


def test_somebody_elses_key_signs_nothing(ready, lens):
    """Saying that one is somebody else does not help: the key says who it is."""
    with pytest.raises(SignoffRefused, match="signature: key SHA256:") as caught:
        lens("approve", *WHY, "--yes", "--person", PEOPLE[Role.QA], "--key", str(ready.key(PEOPLE[Role.PRODUCT])))
    assert f"is that of {PEOPLE[Role.PRODUCT]}, not of {PEOPLE[Role.QA]}" in caught.value.blockers[0]
    assert open_signoff().statements() == ()


def test_git_says_who_one_is(ready, lens, monkeypatch):
    """Without --person and --key it is whom git's user.email names, with the key that git signs with."""
    who = PEOPLE[Role.PRODUCT]
    config = ready.folder / "gitconfig"
    config.write_text(f"[user]\n\tsigningkey = {ready.key(who)}\n", encoding="utf-8")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "user.email")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", who)
    assert f"{who} as product" in lens("approve", *WHY, "--yes").output


def test_the_portal_signs_with_a_key_of_this_home(ready):
    """Its key is made at its first use, away from the ledger, and what it signs for a verified person counts."""
    who = PEOPLE[Role.QA]
    claims = {"iss": "https://id.example.org", "email": who, "email_verified": "true", "exp": "9999999999"}
    content = open_signoff().draft(Act.APPROVE, "", who, Role.QA, "I looked at all of it", claims=claims)
    assert open_signoff().record(open_portal_signer().sign(content)).method is Method.PORTAL
    assert [path.name for path in ready.home.rglob("portal*")] == ["portal.pem"]
    assert b"PRIVATE" not in (ready.home / "keys" / "own" / "portal.pem").read_bytes()
    text = ready.config.read_text(encoding="utf-8")
    ready.config.write_text(text.replace("portal_signs = true", "portal_signs = false"), encoding="utf-8")
    [approval] = open_signoff().readiness().approvals
    assert "the portal may not sign here" in approval.why


def test_an_approval_is_taken_back_and_given_again(lens):
    """Revoke finds one's own approval; afterwards the list says that it was revoked, and one may approve anew."""
    lens("approve", *WHY, role=Role.QA)
    lens("revoke", "--reason", "I was wrong", role=Role.QA)
    listed = lens("approvals").output
    assert "✗ lapsed" in listed
    assert "I was wrong" in listed
    with pytest.raises(InvalidInput, match=r"expected one approval of .* that holds, saw 0"):
        lens("revoke", "--reason", "again", role=Role.QA)
    lens("approve", *WHY, role=Role.QA)
    assert "✓ holds" in lens("approvals").output


def test_a_rejection_ends_it(lens):
    """After it nobody approves, and the list shows who rejected, and why."""
    lens("reject", "--reason", "it loses data", role=Role.PRODUCT)
    with pytest.raises(SignoffRefused) as caught:
        lens("approve", *WHY, role=Role.QA)
    assert any("it loses data" in blocker for blocker in caught.value.blockers)
    assert "reject" in lens("approvals").output


def test_security_waives_by_name(lens):
    """A waiver names vulnerability, package, state and grounds; nobody else waives."""
    words = ("waive", "CVE-2026-1", PURL, "--state", "not_affected", "--grounds", "code_not_reachable", *WHY)
    done = lens(*words, "--days", "14", role=Role.SECURITY)
    for part in ("CVE-2026-1", PURL, "not_affected", "code_not_reachable", "until"):
        assert part in done.output
    with pytest.raises(SignoffRefused, match="this waive would not count"):
        lens(*words, role=Role.QA)


def test_break_glass_from_asking_to_review(ready, lens):
    """Two people open it when nights are missing, a third closes its review; each step is in the outbox."""
    text = ready.config.read_text(encoding="utf-8")
    ready.config.write_text(
        text.replace("\nnights = 3 ", "\nnights = 5 ").replace("notify = []", 'notify = ["console://"]'),
        encoding="utf-8",
    )
    assert "nobody asked" in lens("break-glass", "show").output
    with pytest.raises(InvalidInput, match="nobody asked for break-glass"):
        lens("break-glass", "countersign", *WHY, role=Role.SECURITY)
    lens("break-glass", "ask", "--reason", "customers are down", role=Role.QA)
    assert "not active" in lens("break-glass", "show").output
    lens("break-glass", "countersign", *WHY, role=Role.SECURITY)
    shown = lens("break-glass", "show").output
    for part in ("ACTIVE", "customers are down", PEOPLE[Role.QA], PEOPLE[Role.SECURITY], "open reviews:"):
        assert part in shown
    document = json.loads(lens("break-glass", "show", "--json").output)
    assert document["glass"]["active"] is True
    assert len(document["reviews"]) == 1
    lens("break-glass", "review", "--reason", "it was right", role=Role.PRODUCT)
    assert "open reviews:" not in lens("break-glass", "show").output
    with open_signoff()._world.ledger._file.session() as session:
        told = session.connection().exec_driver_sql("SELECT title FROM alert_outbox").scalars().all()
    assert len(told) == 3
