"""Heads of the audit log in a git ref: one commit each, which can be pushed and pulled like any other."""

import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from lens_core.adapters.audit_anchors import anchor_line, parse_anchors
from lens_core.audit import Anchor
from lens_core.errors import InvalidInput, Unavailable

DEFAULT_REF = "refs/lens/audit"
_REF = re.compile(r"refs/[A-Za-z0-9][A-Za-z0-9._/-]*")
_TRIES = 20
_NAME, _EMAIL = "Lens audit log", "audit@lens.invalid"


class GitAnchors:
    """A ref of a repository, whose commits have no files and an anchor as their message. Keeps ``AuditAnchors``.

    It writes objects and moves the ref; work tree, index and HEAD of the repository are not touched.
    """

    def __init__(self, folder: Path, ref: str = DEFAULT_REF, timeout_s: float = 10) -> None:
        if not _REF.fullmatch(ref):
            raise InvalidInput(f"expected a git ref such as {DEFAULT_REF}, saw {ref!r}", "see [audit] of lens.toml")
        self._folder, self._ref, self._timeout_s = folder, ref, timeout_s

    @property
    def name(self) -> str:
        """See ``AuditAnchors``."""
        return f"git:{self._folder}#{self._ref}"

    def keep(self, anchor: Anchor) -> None:
        """See ``AuditAnchors``. The ref moves from the commit that was seen, or it is looked at again."""
        line = anchor_line(anchor)
        for _ in range(_TRIES):
            last = self._last()
            if last and self._git("log", "-1", "--format=%B", last).strip() == line:
                return
            tree = self._git("mktree", said=b"").decode().strip()
            parents = ("-p", last) if last else ()
            made = self._git("commit-tree", tree, *parents, said=line, at=f"{anchor.at.timestamp():.0f}")
            if self._moved(made.decode().strip(), last):
                return
        raise Unavailable(f"{self.name} is written by too many at once", "it is tried again with the next change")

    def anchors(self) -> Sequence[Anchor]:
        """See ``AuditAnchors``; none without the ref."""
        last = self._last()
        return parse_anchors(self._git("log", "--format=%B", last), self.name) if last else ()

    def _last(self) -> str:
        """The newest commit; empty for a ref that is not there."""
        return self._git("for-each-ref", "--format=%(objectname)", self._ref).decode().strip()

    def _moved(self, made: str, last: str) -> bool:
        """Whether the ref stood where it was expected (an empty name: nowhere), and was moved."""
        try:
            self._git("update-ref", "-m", "lens audit", self._ref, made, last)
        except Unavailable:
            if self._last() == last:
                raise
            return False
        return True

    def _git(self, *arguments: str, said: bytes | None = None, at: str = "") -> bytes:
        names = {"GIT_AUTHOR_NAME": _NAME, "GIT_AUTHOR_EMAIL": _EMAIL}
        names |= {"GIT_COMMITTER_NAME": _NAME, "GIT_COMMITTER_EMAIL": _EMAIL}
        dates = {"GIT_AUTHOR_DATE": f"{at} +0000", "GIT_COMMITTER_DATE": f"{at} +0000"} if at else {}
        # Variables of a git command that started us would name another repository.
        env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        command = ["git", "-C", str(self._folder), "-c", "commit.gpgsign=false", *arguments]
        try:
            done = subprocess.run(
                command, input=said or b"", capture_output=True, check=False, timeout=self._timeout_s,
                env={**env, **names, **dates},
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Unavailable(f"git did not answer in {self._folder}: {error}", "install git, or look there") from error
        if done.returncode != 0:
            seen = done.stderr.decode(errors="replace").strip()
            raise Unavailable(
                f"{self.name} cannot be used, git says: {seen}", "name a repository: `git init` makes one"
            )
        return done.stdout
