"""The cell ``integrity`` of the drill: the candidate before an old index in states that it should never be in."""

from pathlib import Path

from lens_core.adapters.damaged_indexes import WORKER, DamagedIndexes, read_index
from lens_core.drills.index_damage import damages, through_commands
from lens_core.drills.ports import Case, Facts, NotAsked
from lens_core.supply.words import Progress

_ASKED = 10
"""How many of the golden questions are asked of an index that opens although it is damaged."""
_ANOTHER = "class Other:\n    def of_its_own(self):\n        return 'another index of the same schema'\n"


class IntegrityCell:
    """Keeps the ``Cell`` port; what it sees is judged by ``lens_core.drills.integrity``."""

    name = "integrity"

    def observe(self, case: Case, progress: Progress) -> Facts:
        """See ``Cell``."""
        other = _another(case)
        every = tuple(damages(read_index(case.old_index.index), read_index(other)))
        progress(f"opening {len(every)} damaged copies")
        copies = DamagedIndexes(case.new.command(WORKER), case.scratch)
        questions = case.old_index.questions[:_ASKED]
        return copies.observe(case.old_index.index, questions, every, through_commands(every))


def _another(case: Case) -> Path:
    """A small index of the candidate's, whose files are whole and belong to something else."""
    tree, index = case.scratch / "another", case.scratch / "another-index"
    tree.mkdir(parents=True)
    (tree / "other.py").write_text(_ANOTHER, encoding="utf-8")
    ended = case.new.run("index", str(tree), "--out", str(index))
    if ended["exit_code"] != 0:
        raise NotAsked(f"{case.new.version} built no index to take files from: {ended['said']}")
    return index
