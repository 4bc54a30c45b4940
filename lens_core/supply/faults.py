"""What is wrong with a cut: the file at fault, what was expected of it, what was seen."""

from dataclasses import dataclass

from lens_core.errors import IntegrityError


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """``artifact`` is the file's name within the cut."""

    artifact: str
    expected: str
    seen: str

    def __str__(self) -> str:
        return f"{self.artifact}: expected {self.expected}, saw {self.seen}"


class FaultFound(IntegrityError):
    """Ends an examination at its first fault, which it carries."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(str(fault), "do not use the cut")
        self.fault = fault
