"""Several processes at one desk at the same moment: nobody decides on what is no longer so."""

from collections import Counter
from multiprocessing import get_context
from queue import Empty

import pytest
from signing import HANDS, Room
from signing_off import WHO

from lens_core.errors import LensError, SignoffRefused
from lens_core.signoff.words import Act, Role, Signed

ADA = WHO[Role.PLATFORM]
FORK = get_context("fork")  # so that every process has the same keys


def record(folder, signed, ready, said):
    """One process: opens its own desk, waits for the others, records, and says what came of it."""
    desk = Room(folder).desk
    ready.wait()
    try:
        said.put(("recorded", desk.record(signed).digest))
    except SignoffRefused as error:
        said.put((error.blockers[0].partition(":")[0], ""))
    except LensError as error:
        said.put((type(error).__name__, error.message))


def at_once(folder, statements: list[Signed]) -> list[tuple[str, str]]:
    """Record them all at the same moment, each in a process of its own; what came of each."""
    ready, said = FORK.Barrier(len(statements)), FORK.Queue()
    processes = [FORK.Process(target=record, args=(folder, one, ready, said)) for one in statements]
    for process in processes:
        process.start()
    try:
        return [said.get(timeout=60) for _ in processes]
    except Empty:
        pytest.fail("a process said nothing")
    finally:
        for process in processes:
            process.join()


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
@pytest.mark.parametrize(
    ("people", "refused_for"),
    [
        ([(ADA, Role.PLATFORM), (ADA, Role.QA)], "second_role"),
        ([(ADA, Role.QA), (WHO[Role.QA], Role.QA)], "double"),
        ([(ADA, Role.PLATFORM)] * 3, "double"),
    ],
)
def test_of_rivals_one_is_recorded(tmp_path, people, refused_for):
    """One person in two roles, two people in one role, one person thrice: at once, too, only one counts."""
    room = Room(tmp_path)
    drafts = [room.draft(role=role, person=person) for person, role in people]
    signed = [HANDS[person].sign(draft) for (person, _), draft in zip(people, drafts, strict=True)]
    came = Counter(word for word, _ in at_once(tmp_path, signed))
    assert came == {"recorded": 1, refused_for: len(people) - 1}
    assert len(room.ledger.statements()) == 1
    assert [one.holds for one in room.desk.readiness().approvals] == [True]


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_the_same_statement_at_once_is_recorded_once(tmp_path):
    """Four processes with the same bytes: one record, and each is given it."""
    room = Room(tmp_path)
    signed = HANDS[ADA].sign(room.draft(role=Role.PLATFORM))
    assert set(at_once(tmp_path, [signed] * 4)) == {("recorded", signed.digest)}
    assert len(room.ledger.statements()) == 1


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_those_who_are_no_rivals_are_all_recorded(tmp_path):
    """Four roles by four people at once: whoever is second decides again on what is there, and all count."""
    room = Room(tmp_path)
    signed = [HANDS[WHO[role]].sign(room.draft(role=role)) for role in Role]
    assert [word for word, _ in at_once(tmp_path, signed)] == ["recorded"] * 4
    assert room.desk.readiness().ready


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_an_approval_and_a_rejection_at_once_reject(tmp_path):
    """Whichever comes first, the candidate is rejected afterwards, and no approval is recorded after the rejection."""
    room = Room(tmp_path)
    approval = HANDS[ADA].sign(room.draft(role=Role.PLATFORM))
    rejection = HANDS[WHO[Role.QA]].sign(room.draft(Act.REJECT))
    came = {word for word, _ in at_once(tmp_path, [approval, rejection])}
    assert "recorded" in came
    acts = [kept.act for kept in room.ledger.statements()]
    assert acts[-1] is Act.REJECT
    assert not room.desk.readiness().ready
