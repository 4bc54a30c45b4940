"""Cuts in a real folder, tampered with for real, and the verifier in bash."""

import os
import subprocess
from contextlib import contextmanager
from pathlib import Path

from lens_core import supply
from lens_core.supply.tree import Kind

SCRIPT = Path(supply.__file__).with_name("verify.sh")


def write_cut(folder, cut):
    """Write a cut's files into ``folder``, and give it."""
    for name, content in cut.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    return folder


@contextmanager
def tampered(folder, cut, mutation):
    """``folder`` with the mutation done to it, and undone afterwards. Links lead to the right bytes, outside."""
    outside = folder.with_name(f"{folder.name}-outside")
    for name, put in mutation.put.items():
        _put(folder / name, put, outside, cut.get(name, b""))
    try:
        yield folder
    finally:
        for name in mutation.put:
            place = folder / name
            if place.is_dir() and not place.is_symlink():
                place.rmdir()
            else:
                place.unlink(missing_ok=True)
            if name in cut:
                place.write_bytes(cut[name])
            for parent in place.relative_to(folder).parents[:-1]:
                if not any((folder / parent).iterdir()):
                    (folder / parent).rmdir()


def _put(place, put, outside, right):
    place.unlink(missing_ok=True)
    place.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(put, bytes):
        place.write_bytes(put)
    elif put is Kind.SYMLINK:
        outside.write_bytes(right)
        place.symlink_to(outside)
    elif put is Kind.FOLDER:
        place.mkdir()
    elif put is Kind.OTHER:
        os.mkfifo(place)


def ask_bash(folder, key, *options):
    """What ``verify.sh`` says about ``folder``: its exit code, and its words."""
    command = ["bash", str(SCRIPT), "-k", str(key), *options, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr
