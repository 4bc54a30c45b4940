"""The commit that is built: what git knows of it, and its tree as an archive."""

import re
import subprocess
from pathlib import Path

from lens_core.cut_ports import Commit
from lens_core.errors import InvalidInput, Unavailable

_COMMIT = re.compile(r"[0-9a-f]{40,64}")
_CHANGED = re.compile(r"(\d+) (?:insertion|deletion)")
_REF = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/~^{}@-]*")


class GitSource:
    """Keeps the ``Source`` port on the git repository that ``root`` is a folder of."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def commit(self, ref: str = "HEAD") -> Commit:
        """The commit that ``ref`` names; InvalidInput when it names none."""
        if not _REF.fullmatch(ref):  # one that begins with a dash would be an option
            raise InvalidInput(f"expected a branch, tag or commit, saw {ref!r}", "`git log` names commits")
        named = self._git("log", "-1", "--format=%H %T %ct", f"{ref}^{{commit}}", "--").decode().split()
        commit, tree, seconds = named
        return Commit(commit, tree, int(seconds))

    def changes(self) -> tuple[str, ...]:
        """Paths of the working tree that differ from HEAD or that git does not know, sorted."""
        lines = self._git("status", "--porcelain=v1", "-z", "--no-renames").decode(errors="replace").split("\0")
        return tuple(sorted(line[3:] for line in lines if line))

    def files(self) -> tuple[str, ...]:
        """Paths of the files that git knows, sorted."""
        return tuple(sorted(name for name in self._git("ls-files", "-z").decode().split("\0") if name))

    def archive(self, commit: Commit) -> bytes:
        """The commit's tree as a tar archive: what is not committed is not in it."""
        return self._git("archive", "--format=tar", commit.commit)

    def person(self) -> str:
        """Who git says is working here; empty when it does not know."""
        try:
            return self._git("config", "user.email").decode(errors="replace").strip()
        except InvalidInput:
            return ""

    def signing_key(self) -> str:
        """The key that git signs with, as its configuration names it; empty when it names none."""
        try:
            return self._git("config", "--type=path", "user.signingkey").decode(errors="replace").strip()
        except InvalidInput:
            return ""

    def lines_changed(self, before: str, after: str) -> int | None:
        """Lines added and removed from one commit to another; None when git does not know them both."""
        if not (_COMMIT.fullmatch(before) and _COMMIT.fullmatch(after)):
            return None
        try:
            said = self._git("diff", "--shortstat", before, after, "--").decode(errors="replace")
        except (InvalidInput, Unavailable):
            return None
        return sum(int(count) for count in _CHANGED.findall(said))

    def _git(self, *arguments: str) -> bytes:
        try:
            done = subprocess.run(["git", "-C", str(self._root), *arguments], capture_output=True, check=False)
        except FileNotFoundError as error:
            raise Unavailable("git is not installed", "install git") from error
        if done.returncode != 0:
            seen = done.stderr.decode(errors="replace").strip()
            raise InvalidInput(
                f"expected a git commit in {self._root}, git says: {seen}",
                "a candidate is bound to a commit: make one, or name another",
            )
        return done.stdout
