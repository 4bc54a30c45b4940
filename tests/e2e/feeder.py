"""Writes the recorded ten minutes into a log, faster than they happened, rotating it as logrotate would.

``python feeder.py FOLDER SPEED ROTATE_EVERY_S`` where the last counts seconds of the recording.
"""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from traffic import RATE_PER_S, SLICES, TEN_MINUTES, lines_of

SECONDS = 600


def rotate(file: Path) -> None:
    """Rename every generation; keep four."""
    for number in range(4, 0, -1):
        if (old := file.with_name(f"{file.name}.{number}")).exists():
            old.replace(file.with_name(f"{file.name}.{number + 1}"))
    file.rename(file.with_name(f"{file.name}.1"))


def main(folder: Path, speed: float, rotate_every_s: int) -> None:
    """Write a second of the recording at a time, each at its moment or as soon after it as possible."""
    file = folder / "access.log"
    began = time.monotonic()
    for second in range(SECONDS):
        if second and second % rotate_every_s == 0:
            rotate(file)
        lines = b"".join(lines_of(second, SLICES, RATE_PER_S, TEN_MINUTES))
        with file.open("ab", buffering=0) as handle:
            # In two writes, so that a reader meets half a line now and then.
            handle.write(lines[: len(lines) // 2])
            handle.write(lines[len(lines) // 2 :])
        time.sleep(max(0.0, began + (second + 1) / speed - time.monotonic()))


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]))
