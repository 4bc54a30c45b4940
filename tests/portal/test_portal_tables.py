"""The HTML tables of the pages."""

from dataclasses import replace

from lens_core.model import Answer, Interval, Verdict
from portal import tables
from tests.portal.fake_lens import NEWEST, SLICES, digest_of, night_of


def test_an_answer_links_to_the_file_that_it_is_recomputed_from() -> None:
    """The evidence digest is short to read, whole when pointed at, and a link when the file is recorded."""
    digest = str(digest_of("samples"))
    path = f"nights/{NEWEST}.1/backend-python-small/samples.parquet"
    href = tables.evidence_link(f"{NEWEST}.1", path)
    answer = Answer("tail_ratio", SLICES[0], Verdict.PASS, "1.4 ≤ 2", 1.4, 2.0, 1500, digest)
    html = tables.answers_table([answer], "Answers", {digest: href})
    assert f"href='evidence/{NEWEST}.1/{path}'" in html
    assert f"title='{digest}'" in html
    assert f">{digest_of('samples').short}<" in html
    assert "href" not in tables.answers_table([answer], "Answers", {})


def test_an_interval_says_what_it_rests_on() -> None:
    """Bounds stand beside the value, with confidence, blocks and power; a gate without them has an empty cell."""
    interval = Interval(1.31, 1.52, 0.95, 0.87, 60, 1.1)
    with_bounds = Answer("tail_ratio", "s", Verdict.PASS, "fine", 1.4, 2.0, 1500, "", "≤", interval)
    html = tables.answers_table([with_bounds, replace(with_bounds, interval=None)], "Answers", {})
    assert html.count("1.31× to 1.52×") == 1
    assert "95.0% sure, from 60 blocks of time" in html
    assert "probability of 87%" in html


def test_a_file_that_is_not_recorded_is_no_link() -> None:
    """A missing notebook is said to be missing, for each slice."""
    html = tables.evidence_table(night_of(NEWEST), (), SLICES)
    assert html.count("not recorded") == 5 * len(SLICES)
    assert "href" not in html


def test_an_address_survives_odd_characters() -> None:
    """Quotes, spaces and ampersands in a name cannot leave the address that they stand in."""
    assert tables.night_link("a&b", "x'y") == "./?night=a%26b&slice=x%27y"
    assert tables.evidence_link("n", "a b/c'd?.html") == "evidence/n/a%20b/c%27d%3F.html"
