"""Whoever tampers with the audit log is found, and so is the first entry that is not what was written."""

from dataclasses import replace

import pytest
from audit_logs import START, Key, anchor, chain, entry, log
from hypothesis import given
from hypothesis import strategies as st

from lens_core.audit import Entry, Kept, head_of
from lens_core.audit_verification import verify

KEY, OTHER = Key(1), Key(2)
GOOD = log(40, KEY)
ANCHORS = [anchor(GOOD[number - 1]) for number in (10, 20, 30, 40)]


def decoded(kept):
    """The entries themselves."""
    return [Entry.decode(one.content) for one in kept]


def rewritten(number, key, sign=None):
    """A whole rewrite from an entry on: that one says something else, and all that follow are linked to it anew."""
    entries = decoded(GOOD)
    entries[number - 1] = replace(entries[number - 1], why="nothing happened")
    old = {one.number: one.signature for one in GOOD}
    return chain(entries, sign or (lambda at, head: KEY.sign(head) if at < number else old[at]), key)


def test_a_log_that_nobody_touched_stands():
    """Its head, its signer and how far it is anchored are said."""
    found = verify(GOOD, KEY.public, ANCHORS)
    assert (found.stands, found.entries, found.head) == (True, 40, GOOD[-1].head)
    assert (found.signers, found.anchored, found.warnings) == ({KEY.id: 1}, 40, ())
    assert found.latest == decoded(GOOD)[-1].at


def test_an_empty_log_stands_on_nothing():
    """No entries are no fault by themselves, and a kept head shows that there were some."""
    assert verify([], KEY.public).entries == 0
    found = verify([], KEY.public, ANCHORS)
    assert (found.stands, found.first_bad) == (False, 1)


def edit_content(kept):
    """One word of one entry."""
    return kept._replace(content=kept.content.replace(b"as usual", b"as asked"))


def edit_and_hash(kept):
    """The same, with its head beside it."""
    edited = edit_content(kept)
    return edited._replace(head=head_of(edited.content))


ONE_ROW = {
    "content": edit_content,
    "content and head": edit_and_hash,
    "head": lambda kept: kept._replace(head="sha256:" + "0" * 64),
    "number": lambda kept: kept._replace(number=kept.number + 1),
    "key": lambda kept: kept._replace(key=OTHER.id),
    "no signature": lambda kept: kept._replace(signature=b""),
    "no content": lambda kept: kept._replace(content=b""),
    "garbage": lambda kept: kept._replace(content=b"\xff" * 40),
}


@pytest.mark.parametrize("column", ONE_ROW)
@pytest.mark.parametrize("number", [1, 2, 17, 39, 40])
def test_an_edit_of_any_column_names_the_entry(column, number):
    """Whatever of an entry is edited, wherever it stands, it is the first bad one, without any anchor."""
    rows = [*GOOD]
    rows[number - 1] = ONE_ROW[column](rows[number - 1])
    found = verify(rows, KEY.public)
    assert (found.stands, found.first_bad, found.not_after) == (False, number, number)


@pytest.mark.parametrize("number", [1, 17, 39])
def test_a_damaged_signature_is_found_when_all_are_asked_for(number):
    """It changes nothing of what was written, so the quick look may pass it over; the thorough one does not."""
    rows = [*GOOD]
    rows[number - 1] = rows[number - 1]._replace(signature=bytes(64))
    assert verify(rows, KEY.public, every_signature=True).first_bad == number


@pytest.mark.parametrize("number", [1, 2, 17, 39])
def test_a_deleted_entry_is_named(number):
    """Everything behind it speaks of one that is not there."""
    assert verify(GOOD[: number - 1] + GOOD[number:], KEY.public).first_bad == number


@pytest.mark.parametrize("number", [1, 17, 40])
def test_an_inserted_entry_is_named(number):
    """Whether it is made up with the right head before it, or one of the log's own again."""
    before = GOOD[number - 2].head if number > 1 else "sha256:" + "0" * 64
    content = entry(number, before, "made up").encode()
    made_up = Kept(number, content, head_of(content), KEY.id, bytes(64))
    assert verify([*GOOD[: number - 1], made_up, *GOOD[number - 1 :]], KEY.public).first_bad == number
    again = [*GOOD[:number], GOOD[number - 1], *GOOD[number:]]
    assert verify(again, KEY.public).first_bad == number + 1


@pytest.mark.parametrize(("one", "other"), [(1, 2), (5, 30), (39, 40)])
def test_a_new_order_is_named(one, other):
    """The first of two entries that changed places is the first bad one."""
    rows = [*GOOD]
    rows[one - 1], rows[other - 1] = rows[other - 1], rows[one - 1]
    assert verify(rows, KEY.public).first_bad == one


@pytest.mark.parametrize("left", [0, 1, 35, 39])
def test_a_removed_end_is_shown_by_a_kept_head(left):
    """The rest is a good log; only who kept a head knows that there was more."""
    assert verify(GOOD[:left], KEY.public).stands
    found = verify(GOOD[:left], KEY.public, ANCHORS)
    assert (found.stands, found.first_bad) == (False, left + 1)
    assert "its end was removed" in found.faults[-1]


@pytest.mark.parametrize("number", [1, 2, 17, 39, 40])
def test_a_whole_rewrite_without_the_key_is_found_by_the_signatures(number):
    """A database administrator who hashes everything again cannot sign it: the first entry is named, to the number."""
    found = verify(rewritten(number, KEY), KEY.public)
    assert (found.stands, found.first_bad, found.not_after) == (False, number, number)


def test_a_rewrite_that_somebody_elses_key_signed_names_where_that_key_begins():
    """A key that is none of the log's signs nothing, however good the signature is."""
    entries = decoded(GOOD)
    rows = chain(entries, lambda _at, head: KEY.sign(head), KEY)[:11]
    foreign = chain(entries, lambda _at, head: OTHER.sign(head), OTHER)[11:]
    found = verify([*rows, *foreign], KEY.public)
    assert (found.first_bad, found.stands) == (12, False)
    assert "none of the log's keys" in found.faults[0]


@pytest.mark.parametrize(("number", "between"), [(1, (1, 10)), (10, (1, 10)), (11, (11, 20)), (33, (31, 40))])
def test_a_whole_rewrite_with_the_stolen_key_is_found_by_the_kept_heads(number, between):
    """Everything is signed as it should be; the first kept head that differs says where, as closely as heads are."""
    rows = rewritten(number, KEY, lambda _at, head: KEY.sign(head))
    assert verify(rows, KEY.public).stands
    found = verify(rows, KEY.public, ANCHORS)
    assert (found.stands, (found.first_bad, found.not_after)) == (False, between)


def test_a_whole_rewrite_under_a_key_that_was_slipped_in_is_found_by_the_kept_heads():
    """Whoever replaces the public key too is still contradicted by what the old one signed."""
    rows = chain(decoded(GOOD), lambda _at, head: OTHER.sign(head), OTHER)
    rows[0:] = chain([replace(one, why="never") for one in decoded(rows)], lambda _at, head: OTHER.sign(head), OTHER)
    found = verify(rows, OTHER.public, ANCHORS)
    assert (found.stands, found.first_bad, found.not_after) == (False, 1, 10)


def test_a_made_up_head_is_told_from_a_kept_one():
    """Somebody who can write where heads are kept can make noise, and cannot accuse the log of a rewrite."""
    false = replace(ANCHORS[0], head="sha256:" + "f" * 64)
    found = verify(GOOD, KEY.public, [false, *ANCHORS[1:]])
    assert (found.stands, found.first_bad) == (False, None)
    assert "not signed by the log's key" in found.faults[0]


def test_without_kept_heads_the_log_says_what_it_cannot_know():
    """Nobody outside vouches for its end."""
    assert "kept elsewhere" in verify(GOOD, KEY.public).warnings[0]
    assert "newest 10 entries" in verify(GOOD, KEY.public, ANCHORS[:3]).warnings[0]


def test_a_second_key_is_said_and_its_predecessors_last_signature_still_counts():
    """A log goes on with another key; who signed from where is said, and each stretch is searched on its own."""
    sign = lambda at, head: (KEY if at <= 20 else OTHER).sign(head)  # noqa: E731
    rows = [one._replace(key=OTHER.id) if one.number > 20 else one for one in chain(decoded(GOOD), sign, KEY)]
    both = {**KEY.public, **OTHER.public}
    found = verify(rows, both)
    assert (found.stands, found.signers) == (True, {KEY.id: 1, OTHER.id: 21})
    edited = [replace(one, why="?") if one.number == 8 else one for one in decoded(rows)]
    old = {one.number: one.signature for one in rows}
    thief = chain(edited, lambda at, head: OTHER.sign(head) if at > 20 else old[at], KEY)
    thief = [one._replace(key=OTHER.id) if one.number > 20 else one for one in thief]
    assert verify(thief, both).first_bad == 8


@pytest.mark.parametrize("why", ['"number":2,"previous":"', ',"what":"statement.approve', "ünï\n\t\\u0000", ""])
def test_no_text_of_a_person_is_taken_for_a_part_of_the_entry(why):
    """Reasons may hold quotes and what looks like members; they are read back as they were."""
    rows = log(3, KEY, why)
    found = verify(rows, KEY.public)
    assert (found.stands, found.claimed) == (True, {})
    assert decoded(rows)[1].why == why


def test_entries_say_what_the_ledger_holds():
    """The newest word of the log on each thing is handed out for the comparison with the ledger."""
    night = Entry(
        1, START, "ada", "night.closed", "sha256:a", "", "", "sha256:1", {"night": "2026-11-24.1", "what": "no"}
    )
    approval = Entry(2, START, "bob", "statement.approve", "sha256:a", "", "", "sha256:2")
    rows = chain([night, approval], lambda _at, head: KEY.sign(head), KEY)
    assert verify(rows, KEY.public).claimed == {
        "night 2026-11-24.1": "sha256:1",
        "statement sha256:2": "approve sha256:a",
    }


@given(data=st.data())
def test_whatever_is_done_to_some_rows_is_found(data):
    """Any edit, deletion, insertion or new order that is not undone is a fault, at the first row that differs."""
    rows = [*GOOD]
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(rows) - 1))
        match data.draw(st.sampled_from(["edit", "delete", "insert", "swap"])):
            case "edit":
                rows[at] = ONE_ROW[data.draw(st.sampled_from(sorted(ONE_ROW)))](rows[at])
            case "delete":
                del rows[at]
            case "insert":
                rows.insert(at, GOOD[data.draw(st.integers(0, len(GOOD) - 1))])
            case "swap":
                other = data.draw(st.integers(0, len(rows) - 1))
                rows[at], rows[other] = rows[other], rows[at]
    found = verify(rows, KEY.public, ANCHORS)
    if rows == GOOD:
        assert found.stands
        return
    differs = next((i for i, (one, good) in enumerate(zip(rows, GOOD, strict=False), 1) if one != good), len(rows) + 1)
    assert not found.stands
    assert found.first_bad == min(differs, 41)
