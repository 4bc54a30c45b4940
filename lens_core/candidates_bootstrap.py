"""Joins what looking at candidates needs: cuts, drills, and what the ledger remembers of them."""

from pathlib import Path

from lens_core.adapters.folder_stamp import folder_stamp
from lens_core.adapters.sql_ledger import SqlLedger
from lens_core.candidates import Candidates
from lens_core.places import home_folder
from lens_core.verify_bootstrap import open_drills, open_releases


def open_candidates(home: Path | None = None) -> Candidates:
    """The candidates of a home folder. Unavailable when its ledger cannot be opened."""
    home = home_folder(home)
    return Candidates(open_releases(home), open_drills(home), SqlLedger(home / "lens.db"), folder_stamp)
