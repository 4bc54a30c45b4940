"""Files and folders that are still there after a power cut."""

import os
from pathlib import Path


def sync(place: Path) -> None:
    """Have a file's bytes, or a folder's names, on the disk; a rename is only there for good once its folder is."""
    handle = os.open(place, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_file(file: Path) -> None:
    """Have a file's bytes and its name on the disk."""
    for place in (file, file.parent):
        sync(place)
