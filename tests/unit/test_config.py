"""Settings: what is wrong is refused and named, what is shipped can be read."""

from pathlib import Path

import pytest

from lens_core.config import load_settings, read_policy
from lens_core.errors import InvalidInput

SHIPPED = Path(__file__).parents[2] / "lens.toml"


def changed(tmp_path, before, after):
    """A copy of the shipped file with one change."""
    text = SHIPPED.read_text()
    assert before in text
    file = tmp_path / "lens.toml"
    file.write_text(text.replace(before, after, 1))
    return file


def test_the_shipped_file_holds_the_numbers_of_the_specification():
    """The gates that ship have the thresholds that were decided."""
    gates = {gate.name: gate for gate in load_settings(config=SHIPPED).policy.policy().gates}
    assert gates["tail_ratio"].threshold == 2.0
    assert gates["p99_vs_baseline"].threshold == 1.10
    assert gates["recall_at_50"].threshold == 0.85
    assert gates["ndcg_at_10_vs_baseline"].threshold == 0.02
    assert gates["span_coverage"].threshold == 0.98
    assert (gates["cpu_share"].threshold, gates["memory_share"].threshold) == (0.70, 0.80)


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("at_most = 2.0", "at_most = nan", "finite"),
        ("at_most = 2.0", "at_most = 2.0\nat_least = 1.0", "exactly one of"),
        ("at_most = 2.0", "", "exactly one of"),
        ('name = "tail_ratio"', 'name = "p95_vs_baseline"', "same name"),
        ("rate_per_s = 100", "rate_per_s = 0", "rate_per_s"),
        ("rate_per_s = 100", "rate = 100", "rate"),
        ("min_samples = 1000", "min_samples = 0", "min_samples"),
        ("[load]", "[load", "TOML"),
        ("window_s = 300", "window_s = 310", "multiple of every_s"),
        ("critical_above = 3.0", "critical_above = 1.5", "below ratio_above"),
        ("max_bad_share = 0.002", "max_bad_share = nan", "max_bad_share"),
        ("notify = []", 'notify = ["console://", "console://"]', "a target twice"),
        ("port = 3000", "port = 70000", "port"),
    ],
)
def test_a_value_that_cannot_be_is_named(tmp_path, before, after, words):
    """NaN limits, gates with two bounds, unknown and impossible values are refused by name."""
    with pytest.raises(InvalidInput, match=words):
        load_settings(config=changed(tmp_path, before, after))


def test_a_missing_file_says_where_it_was_expected(tmp_path):
    """Without lens.toml nothing is guessed."""
    with pytest.raises(InvalidInput, match=r"lens\.toml"):
        load_settings(config=tmp_path / "lens.toml")


def test_the_environment_overrides_single_values(monkeypatch):
    """LENS_LOAD__RATE_PER_S changes the rate, and the policy's digest with it."""
    before = load_settings(config=SHIPPED)
    monkeypatch.setenv("LENS_LOAD__RATE_PER_S", "50")
    after = load_settings(config=SHIPPED)
    assert after.load.rate_per_s == 50
    assert after.policy_digest != before.policy_digest


def test_home_is_beside_the_file_unless_it_is_moved(monkeypatch, tmp_path):
    """LENS_HOME moves what runs make; an argument wins over it."""
    monkeypatch.delenv("LENS_HOME", raising=False)
    assert load_settings(config=SHIPPED).home == SHIPPED.parent / "data" / "home"
    monkeypatch.setenv("LENS_HOME", str(tmp_path / "elsewhere"))
    assert load_settings(config=SHIPPED).home == tmp_path / "elsewhere"
    assert load_settings(home=tmp_path, config=SHIPPED).home == tmp_path


def test_a_recorded_policy_is_the_policy():
    """What a night keeps can be judged by again; what is no record is refused."""
    settings = load_settings(config=SHIPPED)
    assert read_policy(settings.policy_record) == settings.policy.policy()
    for broken in ("", "{}", "[]", '{"policy": {"gates": []}}'):
        with pytest.raises(InvalidInput):
            read_policy(broken)


def test_no_night_is_bound_to_how_live_traffic_is_watched(monkeypatch):
    """Changing the monitor leaves the policy's digest as it is."""
    before = load_settings(config=SHIPPED).policy_digest
    monkeypatch.setenv("LENS_MONITOR__RATIO_ABOVE", "2.5")
    assert load_settings(config=SHIPPED).monitor.ratio_above == 2.5
    assert load_settings(config=SHIPPED).policy_digest == before
