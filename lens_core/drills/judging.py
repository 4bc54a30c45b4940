"""Who judges what of a drill: every cell's judge by the cell's name."""

from collections.abc import Mapping

from lens_core.drills.drill import Judge
from lens_core.drills.engine_judges import JUDGES as ENGINE_JUDGES
from lens_core.drills.integrity import integrity
from lens_core.drills.server_judges import JUDGES as SERVER_JUDGES

JUDGES: Mapping[str, Judge] = {**ENGINE_JUDGES, "integrity": integrity, **SERVER_JUDGES}
