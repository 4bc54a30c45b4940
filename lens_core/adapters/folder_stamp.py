"""Tells whether a folder is as it was, by what the file system says of it: quick, and no proof."""

import hashlib
import os
from pathlib import Path


def folder_stamp(folder: Path) -> str:
    """Changes when a file below ``folder`` is added, removed, renamed or written to; empty when it is no folder.

    It spares hashing what was hashed before. Bytes that change on the disk without a write keep their stamp, so
    nothing is believed for good because of it.
    """
    if not folder.is_dir():
        return ""
    seen = hashlib.sha256()
    for place, folders, files in os.walk(folder):
        folders.sort()
        for path in (Path(place, name) for name in sorted([*folders, *files])):
            seen.update(f"{path} {_told(path)}\n".encode())
    return seen.hexdigest()


def _told(path: Path) -> str:
    try:
        told = path.lstat()
    except OSError as error:
        return f"error {error.errno}"
    return f"{told.st_mode} {told.st_size} {told.st_ino} {told.st_mtime_ns} {told.st_ctime_ns}"
