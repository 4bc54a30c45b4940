"""What a container image's file system holds once its layers are applied, one over the other.

Rules of the OCI image specification (layer.md): ``.wh.NAME`` removes NAME of the layers below, ``.wh..wh..opq``
removes everything that the layers below have in that folder; neither touches the layer's own files. Folders on
the way to a member may be links of a layer below (``lib`` → ``usr/lib``): they are followed, inside the root.
What a layer says in two ways, so that two unpackers could differ, is kept as an ``Oddity``.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from lens_core.errors import IntegrityError

MAX_HOPS = 40
"""So many links does Linux follow before it says ELOOP."""
_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"
_HINT = "do not run this image; build it again"


class Kind(StrEnum):
    """What stands at a path; OTHER is a device, a pipe or a socket."""

    FILE = "file"
    FOLDER = "folder"
    LINK = "link"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Entry:
    """One path of the file system, without a slash in front.

    Digests are 64 and 32 hex digits, and only of files; ``target`` is a symbolic link's text. ``mode`` holds the
    twelve permission bits. ``elf`` is True for a file that begins as a native program or library does.
    """

    path: str
    kind: Kind
    mode: int = 0o755
    size: int = 0
    sha256: str = ""
    md5: str = ""
    target: str = ""
    xattrs: tuple[str, ...] = ()
    elf: bool = False
    layer: int = 0


@dataclass(frozen=True, slots=True, order=True)
class Oddity:
    """A path about which a layer says something that no honest build says, and what that is."""

    path: str
    what: str


@dataclass(frozen=True, slots=True)
class RootFs:
    """The file system of an image: entries by path, and the contents of metadata files by SHA-256.

    ``image`` is the digest of the manifest (``sha256:…``), ``architecture`` the image's own word (``amd64``).
    """

    entries: Mapping[str, Entry]
    contents: Mapping[str, bytes] = field(default_factory=dict)
    oddities: tuple[Oddity, ...] = ()
    image: str = ""
    architecture: str = ""

    def of(self, kind: Kind) -> Iterator[Entry]:
        """All entries of one kind, by path."""
        return (self.entries[path] for path in sorted(self.entries) if self.entries[path].kind is kind)

    def files(self) -> Iterator[Entry]:
        """All regular files, by path."""
        return self.of(Kind.FILE)

    def resolve(self, path: str) -> str | None:
        """Where ``path`` leads when all links are followed; None for a loop. It need not exist."""
        return resolve(self.entries, path)

    def canonical(self, path: str) -> str:
        """``path`` with the links among its folders followed, its last part as it is (``lib/x`` → ``usr/lib/x``)."""
        return resolve(self.entries, path, last=False) or path

    def read(self, path: str) -> bytes | None:
        """The content of a metadata file, links followed; None if it is not there, or was not kept."""
        entry = self.entries.get(self.resolve(path) or "")
        return self.contents.get(entry.sha256) if entry is not None and entry.kind is Kind.FILE else None


def resolve(entries: Mapping[str, Entry], path: str, *, last: bool = True) -> str | None:
    """``path`` with links followed inside the root, the last part's too when ``last``; None for a loop."""
    here: list[str] = []
    ahead = _parts(path)
    hops = 0
    while ahead:
        part = ahead.pop()
        if part == "..":
            del here[-1:]
            continue
        entry = entries.get("/".join((*here, part)))
        if entry is None or entry.kind is not Kind.LINK or not (ahead or last):
            here.append(part)
            continue
        hops += 1
        if hops > MAX_HOPS:
            return None
        if entry.target.startswith("/"):
            here.clear()
        ahead.extend(_parts(entry.target))
    return "/".join(here)


def _parts(path: str) -> list[str]:
    """The parts of a path, the first one last."""
    return [part for part in reversed(path.split("/")) if part not in ("", ".")]


class Assembly:
    """Applies layers, the lowest first. IntegrityError for a member that no unpacker should accept."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        self._children: dict[str, set[str]] = {}
        self._contents: dict[str, bytes] = {}
        self._oddities: set[Oddity] = set()
        self._layer = -1

    def begin_layer(self) -> None:
        """What is added from now on belongs to the next layer up."""
        self._layer += 1

    def add(self, entry: Entry, content: bytes | None = None) -> None:
        """Put a member of the present layer in its place; ``content`` is kept when it is given.

        A member whose name begins with ``.wh.`` is a whiteout.
        """
        path = self._place(entry.path)
        folder, _, name = path.rpartition("/")
        if name == _OPAQUE:
            for child in sorted(self._children.get(folder, ())):
                self._remove_lower(_join(folder, child))
        elif name.startswith(_WHITEOUT):
            self._whiteout(folder, name)
        else:
            self._put(replace(entry, path=path, layer=self._layer))
            if content is not None:
                self._contents[entry.sha256] = content

    def hardlink(self, path: str, target: str, mode: int) -> None:
        """``path`` becomes another name of what stands at ``target``; IntegrityError when nothing does."""
        seen = self._entries.get(self._place(target))
        if seen is None or seen.kind is Kind.FOLDER:
            raise IntegrityError(
                f"the image is refused: {path!r} is a hard link to {target!r}, which is no file", _HINT
            )
        self.add(replace(seen, path=path, mode=seen.mode | mode))

    def odd(self, path: str, what: str) -> None:
        """Remember something odd about a member."""
        self._oddities.add(Oddity(path, what))

    def finish(self, image: str = "", architecture: str = "") -> RootFs:
        """The file system as it is now."""
        return RootFs(dict(self._entries), dict(self._contents), tuple(sorted(self._oddities)), image, architecture)

    def _place(self, path: str) -> str:
        folder, _, name = path.rpartition("/")
        if name in ("", ".", ".."):
            raise IntegrityError(f"the image is refused: the member {path!r} does not name a place inside it", _HINT)
        real = resolve(self._entries, folder)
        if real is None:
            raise IntegrityError(f"the image is refused: the links on the way to {path!r} go in circles", _HINT)
        return _join(real, name)

    def _whiteout(self, folder: str, name: str) -> None:
        hidden = name.removeprefix(_WHITEOUT)
        if hidden in ("", ".", ".."):
            raise IntegrityError(f"the image is refused: the whiteout {name!r} names no file", _HINT)
        path = _join(folder, hidden)
        if hidden.startswith(_WHITEOUT):
            self.odd(_join(folder, name), "a whiteout of a kind that the specification does not know")
        seen = self._entries.get(path)
        if seen is not None and seen.layer == self._layer and seen.kind is not Kind.FOLDER:
            self.odd(path, "added and removed by one layer")
        self._remove_lower(path)

    def _put(self, entry: Entry) -> None:
        seen = self._entries.get(entry.path)
        both_folders = seen is not None and seen.kind is Kind.FOLDER and entry.kind is Kind.FOLDER
        if seen is not None and seen.layer == self._layer and not both_folders:
            self.odd(entry.path, "twice in one layer")
        if seen is not None and seen.kind is Kind.FOLDER and not both_folders:
            self._remove(entry.path)
        self._make_folders(entry.path)
        self._entries[entry.path] = entry

    def _make_folders(self, path: str) -> None:
        while path:
            folder, _, name = path.rpartition("/")
            self._children.setdefault(folder, set()).add(name)
            if folder:
                seen = self._entries.get(folder)
                if seen is None:
                    self._entries[folder] = Entry(folder, Kind.FOLDER, layer=self._layer)
                elif seen.kind is not Kind.FOLDER:
                    raise IntegrityError(f"the image is refused: {folder!r} is a {seen.kind} and a folder", _HINT)
            path = folder

    def _remove_lower(self, path: str) -> None:
        """Remove what layers below have at and under ``path``; a folder stays when this layer has put something in."""
        for child in sorted(self._children.get(path, ())):
            self._remove_lower(_join(path, child))
        seen = self._entries.get(path)
        if seen is not None and seen.layer < self._layer and not self._children.get(path):
            self._forget(path)

    def _remove(self, path: str) -> None:
        for child in sorted(self._children.get(path, ())):
            self._remove(_join(path, child))
        self._forget(path)

    def _forget(self, path: str) -> None:
        self._entries.pop(path, None)
        self._children.pop(path, None)
        folder, _, name = path.rpartition("/")
        self._children.get(folder, set()).discard(name)


def _join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name
