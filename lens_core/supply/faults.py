"""What is wrong with a cut: the file at fault, what was expected of it, what was seen."""

from lens_core.errors import IntegrityError
from lens_core.supply.words import Fault

__all__ = ["Fault", "FaultFound"]


class FaultFound(IntegrityError):
    """Ends an examination at its first fault, which it carries."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(str(fault), "do not use the cut")
        self.fault = fault
