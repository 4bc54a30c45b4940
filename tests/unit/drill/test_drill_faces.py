"""A drill as people and scripts see it: the commands, the tables, the figure of the portal."""

import json

import pandas as pd
import pytest
import typer
from drilling import DrillHouse, FakeCell

from lens_core import drill_cli
from lens_core.drill_charts import drill_matrix
from lens_core.drill_views import ANSWER_COLUMNS, answer_frame, way_back_frame
from lens_core.errors import InvalidInput
from lens_core.model import Verdict


@pytest.fixture
def house(tmp_path, monkeypatch):
    """A house that the commands work in."""
    house = DrillHouse(tmp_path)

    class Drilling:
        def drill(self, version, previous, listener):
            house.heard = listener
            return house.drill(*previous.split(",")) if previous else house.drill()

    monkeypatch.setattr(drill_cli, "configured_drilling", lambda **_: Drilling())
    monkeypatch.setattr(drill_cli, "open_drills", lambda: house.drills)
    return house


def run(capsys, *arguments):
    """Exit code, output and errors of a command."""
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command("compat-drill")(drill_cli.compat_drill)
    app.add_typer(drill_cli.drill_app, name="drill")
    with pytest.raises(SystemExit) as ended:
        app(args=list(arguments))
    said = capsys.readouterr()
    return ended.value.code or 0, said.out, said.err


def test_a_drill_shows_its_matrix_and_the_way_back(house, capsys):
    """Each cell on standard error as it ends; the matrix, the way back to each version and the verdict on output."""
    code, out, err = run(capsys, "compat-drill", "--previous-versions", "0.9.1,0.9.2")
    assert code == 0
    assert "✓ 0.9.1     read" in err
    for words in ("0.9.1 (0.25.1)", "✓ PASS", "rollback-safe: unknown", "nobody tried to go back", str(house.home)):
        assert words in out.replace("\n", "")


def test_a_drill_that_does_not_pass_ends_with_1_and_says_why(house, capsys):
    """What does not pass stands below the matrix with its reason; the process that crashed is marked while it runs."""
    house.cells = (FakeCell("read", lambda _case: {"fine": False}), FakeCell("write", lambda _case: 1 / 0))
    code, out, err = run(capsys, "compat-drill", "--previous-versions", "0.9.1")
    assert code == drill_cli.NOT_PASSED
    assert "! 0.9.1     write in place" in err
    assert out.index("✕ FAIL   0.9.1") < out.index("! ERROR  0.9.1")
    assert "crashed: ZeroDivisionError" in out


def test_scripts_get_one_document(house, capsys):
    """Verdict, rollback-safety and the copy-first path stand at the top, so that a plan can read them."""
    run(capsys, "compat-drill", "--json")
    shown = json.loads(run(capsys, "drill", "show", "1.0.0", "--json")[1])
    assert (shown["verdict"], shown["rollback_safe"], shown["copy_first"]) == ("PASS", "unknown", False)
    assert shown["outcomes"] == dict.fromkeys(("0.9.1", "0.9.2"), "read and migrate; going back is not known")
    assert shown["drill"]["answers"][0]["verdict"] == "PASS"


def test_nothing_drilled_is_nothing_to_show(house):
    """Without a drill the command says what makes one."""
    with pytest.raises(InvalidInput, match="saw none"):
        drill_cli.drill_show()


def test_the_matrix_shows_every_answer_by_its_sign(house):
    """Cells are rows and versions columns; colour is never the only sign, and reasons are in the hover."""
    house.cells = (FakeCell("read"), FakeCell("write", lambda _case: {"fine": False}))
    record = house.drill().record
    frame = answer_frame(record)
    assert tuple(frame.columns) == ANSWER_COLUMNS
    [heat] = drill_matrix(frame, "1.0.0").data
    assert (list(heat.x), list(heat.y)) == (["0.9.1", "0.9.2"], ["read", "write in place"])
    assert [list(row) for row in heat.text] == [["✓ PASS", "✓ PASS"], ["✕ FAIL", "✕ FAIL"]]
    assert [list(row) for row in heat.z] == [[Verdict.PASS.value] * 2, [Verdict.FAIL.value] * 2]
    assert list(heat.customdata[1][0]) == ["FAIL", "as it was seen"]
    assert list(way_back_frame(record)["rollback-safe"]) == ["unknown", "unknown"]


def test_an_unanswered_cell_is_no_colour_and_nothing_drilled_is_said(house):
    """A hole in the matrix looks like a hole, and an empty drill says so in words."""
    frame = answer_frame(house.drill().record)
    [heat] = drill_matrix(frame.iloc[1:]).data
    [hole] = [(z, text) for zs, texts in zip(heat.z, heat.text, strict=True) for z, text in zip(zs, texts, strict=True)
              if text == "·"]  # fmt: skip
    assert hole == (None, "·")
    empty = drill_matrix(pd.DataFrame(columns=list(ANSWER_COLUMNS)))
    assert "no evidence" in empty.layout.annotations[0].text
