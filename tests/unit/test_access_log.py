"""Tailing: appended, renamed, copied and cut off, gone, restarted anywhere; every line once, or said to be lost."""

import json
import os

import pytest

from lens_core.adapters.access_log import AccessLog
from lens_core.adapters.log_lines import LineFormat, LineParser
from lens_core.adapters.rotated_files import generations

FIELDS = LineFormat("time", "slice", "latency_ms", "http_code")
T0 = 1_796_083_200


def line(number, **changes):
    """A line whose latency is its number."""
    values = {"time": T0 + number, "slice": "a", "latency_ms": number, "http_code": 200}
    return json.dumps(values | changes) + "\n"


def add(file, *numbers, text=""):
    """Append lines."""
    with file.open("a") as handle:
        handle.write("".join(line(n) for n in numbers) + text)


class Reader:
    """A tail that can be ended and resumed from its last position, like a monitor that is killed."""

    def __init__(self, file, **options):
        self.file, self.options = file, {"handover_s": 0.0, **options}
        self.position, self.gaps, self.garbled, self.fault = None, 0, 0, ""
        self.log = self.make()
        self.log.resume(None, from_start=True)

    def make(self):
        """A new tail."""
        return AccessLog(self.file, LineParser(FIELDS, ("a",)), **self.options)

    def restart(self):
        """End it and go on from the position."""
        self.log.close()
        self.log = self.make()
        self.log.resume(json.loads(json.dumps(self.position)), from_start=False)

    def read(self):
        """Read to the end; the numbers of the lines."""
        numbers = []
        for _ in range(1000):
            seen = self.log.read()
            self.position, self.fault = seen.position, seen.fault
            self.gaps += seen.batch.gaps
            self.garbled += seen.batch.garbled_at.size
            numbers += [int(n) for n in seen.batch.latency_ms]
            if seen.at_end:
                return numbers
        raise AssertionError("it never ends")


@pytest.fixture
def file(tmp_path):
    """A log with three lines."""
    made = tmp_path / "access.log"
    add(made, 1, 2, 3)
    return made


def rotate(file, generations=3):
    """Rename every generation, as logrotate does."""
    for number in range(generations - 1, 0, -1):
        if (old := file.with_name(f"{file.name}.{number}")).exists():
            old.rename(file.with_name(f"{file.name}.{number + 1}"))
    file.rename(file.with_name(f"{file.name}.1"))


def copy_and_cut(file):
    """Copy and cut off, as logrotate's copytruncate does."""
    file.with_name(f"{file.name}.1").write_bytes(file.read_bytes())
    os.truncate(file, 0)


def both_ways(reader, restarts):
    """Go on with the open tail, or with a new one from the position."""
    if restarts:
        reader.restart()
    return reader


@pytest.mark.parametrize("restarts", [False, True])
class TestLinesAreReadOnce:
    def test_appended_lines(self, file, restarts):
        """What is appended is read once, in order."""
        reader = Reader(file)
        assert reader.read() == [1, 2, 3]
        add(file, 4)
        assert both_ways(reader, restarts).read() == [4]
        assert both_ways(reader, restarts).read() == []

    def test_a_line_without_its_newline_waits(self, file, restarts):
        """Half a line is no line; it is read when it is whole, and is not garbled."""
        reader = Reader(file)
        add(file, text=line(4)[:10])
        assert reader.read() == [1, 2, 3]
        add(file, text=line(4)[10:])
        assert both_ways(reader, restarts).read() == [4]
        assert reader.garbled == 0

    def test_a_renamed_file_is_finished_first(self, file, restarts):
        """Lines that came before the rename, and after it into the old file, are read before the new file's."""
        reader = Reader(file)
        assert reader.read() == [1, 2, 3]
        add(file, 4)
        rotate(file)
        add(file.with_name("access.log.1"), 5)
        add(file, 6)
        assert both_ways(reader, restarts).read() == [4, 5, 6]
        assert reader.gaps == 0

    def test_several_rotations_are_followed_in_order(self, file, restarts):
        """However often it was rotated in between, nothing is left out and nothing comes out of order."""
        reader = Reader(file)
        assert reader.read() == [1, 2, 3]
        for number in (4, 5, 6):
            add(file, number)
            rotate(file, 4)
            add(file, number + 10)
        assert both_ways(reader, restarts).read() == [4, 14, 5, 15, 6, 16]
        assert reader.gaps == 0

    def test_a_copied_and_cut_log_goes_on_in_its_copy(self, file, restarts):
        """With copytruncate, lines that were not read yet are read from the copy, then the log from its start."""
        reader = Reader(file)
        assert reader.read() == [1, 2, 3]
        add(file, 4)
        copy_and_cut(file)
        add(file, 5)
        assert both_ways(reader, restarts).read() == [4, 5]
        assert reader.gaps == 0

    def test_a_log_that_was_cut_without_a_copy_says_that_lines_are_lost(self, file, restarts):
        """What may have stood behind the position is gone: the reading says so, and goes on with what is there."""
        reader = Reader(file)
        assert reader.read() == [1, 2, 3]
        os.truncate(file, 0)
        add(file, 7)
        assert both_ways(reader, restarts).read() == [7]
        assert reader.gaps == 1

    def test_a_cut_log_that_has_outgrown_its_old_size_is_noticed(self, file, restarts):
        """A file that is longer than the position but begins otherwise is not read on in its middle."""
        reader = Reader(file)
        assert reader.read() == [1, 2, 3]
        os.truncate(file, 0)
        add(file, 10, 11, 12, 13, 14)
        assert both_ways(reader, restarts).read() == [10, 11, 12, 13, 14]
        assert reader.gaps == 1

    def test_a_log_that_is_gone_for_a_while_is_said_to_be_missing(self, file, restarts):
        """The fault names the file while it is not there; a new one is read from its start."""
        reader = Reader(file)
        assert reader.read() == [1, 2, 3]
        file.unlink()
        assert both_ways(reader, restarts).read() == []
        assert reader.fault == "access.log is missing"
        add(file, 8)
        assert reader.read() == [8]
        assert reader.fault == ""

    def test_an_old_generation_that_is_gone_is_a_gap(self, file, restarts):
        """When the file of the position was deleted, lines are lost after a restart; an open file is still read."""
        reader = Reader(file)
        assert reader.read() == [1, 2, 3]
        add(file, 4)
        rotate(file)
        add(file, 5)
        file.with_name("access.log.1").unlink()
        assert both_ways(reader, restarts).read() == ([5] if restarts else [4, 5])
        assert reader.gaps == int(restarts)

    def test_a_new_file_on_the_old_inode_is_not_taken_for_the_old_one(self, file, restarts):
        """A file system gives inodes out again: the first bytes tell the files apart."""
        reader = Reader(file)
        assert reader.read() == [1, 2, 3]
        file.write_text("".join(line(n) for n in (21, 22, 23, 24)))
        assert both_ways(reader, restarts).read() == [21, 22, 23, 24]
        assert reader.gaps == 1


def test_between_a_rename_and_the_new_file_nothing_is_missing(file):
    """A writer that opens its new file with its next line is no fault; its lines come in order."""
    reader = Reader(file)
    assert reader.read() == [1, 2, 3]
    rotate(file)
    assert (reader.read(), reader.fault) == ([], "")
    add(file, 4)
    assert reader.read() == [4]


def test_after_a_loss_what_was_read_before_is_not_read_again(file):
    """When the file of the position is gone, older generations were read long ago: only what is newer comes next."""
    reader = Reader(file)
    assert reader.read() == [1, 2, 3]
    rotate(file)
    add(file, 4)
    os.utime(file.with_name("access.log.1"), ns=(1, 1))
    assert reader.read() == [4]
    rotate(file)
    add(file, 5)
    file.with_name("access.log.1").unlink()
    reader.restart()
    assert reader.read() == [5]
    assert reader.gaps == 1


def test_every_portion_size_gives_the_same_lines(tmp_path):
    """Lines are cut at newlines, wherever the portions end."""
    file = tmp_path / "access.log"
    add(file, *range(50))
    for size in (80, 97, 128, 1000, 1 << 20):
        assert Reader(file, portion_bytes=size).read() == list(range(50))


def test_a_line_longer_than_a_portion_is_garbled_once(tmp_path):
    """A line without an end is counted once and skipped to its newline; the next ones are read."""
    file = tmp_path / "access.log"
    add(file, 1, text="x" * 5000 + "\n" + line(2))
    reader = Reader(file, portion_bytes=256)
    assert reader.read() == [1, 2]
    assert reader.garbled == 1


def test_a_last_line_that_was_cut_by_rotation_is_garbled(file):
    """What stands behind the last newline of a finished file never gets whole."""
    reader = Reader(file)
    add(file, text='{"time": 17')
    rotate(file)
    add(file, 4)
    assert reader.read() == [1, 2, 3, 4]
    assert reader.garbled == 1


def test_without_a_position_reading_begins_at_the_end(file):
    """A first start does not read history, unless it is asked to, and does not begin inside a line."""
    add(file, text=line(4)[:10])
    log = AccessLog(file, LineParser(FIELDS, ("a",)))
    log.resume(None, from_start=False)
    assert log.read().batch.time_s.size == 0
    add(file, text=line(4)[10:] + line(5))
    seen = log.read().batch
    assert seen.latency_ms.tolist() == [5.0]
    assert seen.garbled_at.size == 0


def test_a_renamed_file_is_waited_for(file):
    """A writer that still holds the renamed file may write to it for a moment: the new file is not begun at once."""
    reader = Reader(file, handover_s=3600.0)
    assert reader.read() == [1, 2, 3]
    rotate(file)
    add(file, 9)
    seen = reader.log.read()
    assert (seen.batch.time_s.size, seen.at_end) == (0, False)
    add(file.with_name("access.log.1"), 4)
    assert reader.log.read().batch.latency_ms.tolist() == [4.0]


def test_a_log_that_is_not_there_yet_is_read_from_its_start(tmp_path):
    """A monitor may be started before the service: the log is missing, then all of it is new, also after a restart."""
    reader = Reader(tmp_path / "access.log")
    assert reader.read() == []
    assert reader.fault == "access.log is missing"
    reader.restart()
    add(tmp_path / "access.log", 1)
    assert reader.read() == [1]


@pytest.mark.parametrize(
    "text",
    [
        "not json",
        "[]",
        "5",
        "null",
        '"text"',
        "{}",
        line(1, latency_ms=-1).strip(),
        line(1, latency_ms="5").strip(),
        line(1, latency_ms=True).strip(),
        line(1, latency_ms=None).strip(),
        '{"time": 1796083200, "slice": "a", "latency_ms": NaN, "http_code": 200}',
        '{"time": 1796083200, "slice": "a", "latency_ms": 1e999, "http_code": 200}',
        line(1, time="2026-12-01T00:00:00").strip(),
        line(1, time="yesterday").strip(),
        line(1, time=1_796_083_200_000).strip(),
        line(1, time=0).strip(),
        line(1, slice=5).strip(),
        line(1, slice=["a"]).strip(),
        line(1, http_code="200").strip(),
        '{"time": 1796083200, "slice": "a", "latency_ms": 5}',
        "\udcff",
    ],
)
def test_what_cannot_be_read_is_garbled_and_never_guessed(text):
    """Missing fields, other types, numbers out of range, times without a zone: counted, and the next line is read."""
    lines = [text.encode(errors="surrogateescape"), line(2).strip().encode()]
    seen = LineParser(FIELDS, ("a",)).parse(lines)
    assert seen.garbled_at.tolist() == [0]
    assert seen.latency_ms.tolist() == [2.0]


def test_times_are_iso_or_seconds():
    """Both forms of the same moment are the same event time."""
    lines = [
        line(0, time=t).strip().encode() for t in (T0 + 0.5, "2026-12-01T00:00:00.5Z", "2026-12-01T01:00:00.5+01:00")
    ]
    assert LineParser(FIELDS, ("a",)).parse(lines).time_s.tolist() == [T0 + 0.5] * 3


def test_errors_are_codes_from_500_and_no_answer():
    """5xx and 0 are errors, 4xx are the caller's; without a field for codes nothing is known."""
    lines = [line(0, http_code=code).strip().encode() for code in (200, 404, 500, 503, 0)]
    assert LineParser(FIELDS, ("a",)).parse(lines).failed.tolist() == [0, 0, 1, 1, 1]
    assert LineParser(LineFormat("time", "slice", "latency_ms", ""), ("a",)).parse(lines).failed.tolist() == [-1] * 5


def test_generations_are_ordered_from_the_oldest(tmp_path):
    """Numbers count backwards, dates forwards, packed and foreign files are left alone, the log itself is last."""
    for name in ("a.log", "a.log.1", "a.log.10", "a.log.2", "a.log.3.gz", "b.log.1", "a.log.bak", "a.logs"):
        (tmp_path / name).touch()
    assert [p.name for p in generations(tmp_path / "a.log")] == ["a.log.10", "a.log.2", "a.log.1", "a.log"]
    for name in ("c.log", "c.log-20261125", "c-20261126.log", "c.log-20261124"):
        (tmp_path / name).touch()
    ordered = ["c.log-20261124", "c.log-20261125", "c-20261126.log", "c.log"]
    assert [p.name for p in generations(tmp_path / "c.log")] == ordered
    assert generations(tmp_path / "nowhere" / "a.log") == []
