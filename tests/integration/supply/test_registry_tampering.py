"""A real registry whose storage is damaged behind its back: whatever is changed is named, and none of it passes."""

import random
import re
import shutil

import pytest
from oci_samples import attachments_of, write_layout
from registry_process import own_registry

from lens_core.adapters.layout_reader import read_layout
from lens_core.adapters.registry import Registry
from lens_core.errors import IntegrityError

ROUNDS = 10


def flip(content, dice):
    """One bit."""
    place = dice.randrange(len(content) * 8)
    changed = bytearray(content)
    changed[place // 8] ^= 1 << place % 8
    return bytes(changed)


def insert(content, dice):
    """One byte more."""
    place = dice.randrange(len(content) + 1)
    return content[:place] + dice.randbytes(1) + content[place:]


def truncate(content, dice):
    """Some bytes fewer, down to none."""
    return content[: dice.randrange(len(content))]


def replace(content, dice):
    """As long, and all other."""
    return bytes(byte ^ 0x55 for byte in content)


CONTENT = {each.__name__: each for each in (flip, insert, truncate, replace)}


class Scene:
    """Two candidates with their attachments in one repository, and where its files lie."""

    def __init__(self, own, folder):
        self.own = own
        self.layouts = {word: write_layout(folder / word, word) for word in ("a", "b")}
        self.registry = Registry(own.url, "team/lens", timeout_s=20, progress=lambda _: None, pause_s=0.001)
        for word, layout in self.layouts.items():
            self.registry.attach(self.registry.push(layout, f"rc-{word}"), attachments_of(word))
        self.kept = {file: file.read_bytes() for file in own.files()}
        self.subject = read_layout(self.layouts["a"]).descriptor.digest
        self.repository = own.storage / "docker/registry/v2/repositories/team/lens"
        self.blobs = self._blobs()

    def faults(self):
        """What verifying the first candidate says."""
        return self.registry.verify(self.layouts["a"], "rc-a", attachments_of("a"))

    def named(self):
        """The words that name what is at fault: digests, tags, files."""
        return {
            word.removeprefix("sha256:") for fault in self.faults() for word in re.split(r"[\s()]+", fault.artifact)
        }

    def restore(self):
        """Put every file back."""
        for file, content in self.kept.items():
            if not file.exists() or file.read_bytes() != content:
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(content)

    def _blobs(self):
        """(digest's hex, file) of every blob and manifest of the first candidate, its attachments' included."""
        asked = []
        with Registry(self.own.url, "team/lens", timeout_s=20, progress=asked.append) as registry:
            registry.verify(self.layouts["a"], "rc-a", attachments_of("a"))
        data = [file for file in self.kept if file.name == "data"]
        return sorted((file.parent.name, file) for file in data if file.parent.name in "\n".join(asked))

    def tag_links(self):
        """(tag, the file that says what it names) of the first candidate."""
        tags = [tag for tag in self.registry.tags() if tag == "rc-a" or tag.startswith(f"sha256-{self.subject.hex}")]
        return [(tag, self.repository / "_manifests/tags" / tag / "current/link") for tag in tags]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The scene, once."""
    folder = tmp_path_factory.mktemp("registry")
    with own_registry(folder).running() as own:
        scene = Scene(own, folder)
        yield scene
        scene.registry._http.close()


@pytest.fixture
def scene(made):
    """The scene, sound before and after."""
    assert made.faults() == ()
    yield made
    made.restore()
    assert made.faults() == ()


def test_the_scene_is_whole(scene):
    """Every kind of content is among what is damaged: 3 blobs, 3 attachments, configs, and 7 manifests."""
    assert len(scene.blobs) == 16
    assert len(scene.tag_links()) == 7


@pytest.mark.parametrize("kind", CONTENT)
def test_damaged_bytes_are_named(scene, kind):
    """Every blob and manifest is damaged at once, in a way of its own each round: each is named, every time."""
    dice = random.Random(kind)  # noqa: S311
    for _ in range(ROUNDS):
        for _, file in scene.blobs:
            file.write_bytes(CONTENT[kind](scene.kept[file], dice))
        named = scene.named()
        assert [digest for digest, _ in scene.blobs if digest not in named] == []
        scene.restore()


@pytest.mark.parametrize("kind", ["flip", "truncate"])
def test_one_damaged_blob_alone_is_named(scene, kind):
    """Nothing else hides it or is needed to see it."""
    dice = random.Random(f"{kind} alone")  # noqa: S311
    for digest, file in scene.blobs:
        file.write_bytes(CONTENT[kind](scene.kept[file], dice))
        assert digest in scene.named()
        scene.restore()


def test_deleted_blobs_are_named(scene):
    """Each file that is gone, alone."""
    for digest, file in scene.blobs:
        file.unlink()
        assert digest in scene.named()
        scene.restore()


def test_swapped_blobs_are_named(scene):
    """Under each digest lies another sound blob of the same repository."""
    following = [*scene.blobs[1:], scene.blobs[0]]
    for (_, file), (_, other) in zip(scene.blobs, following, strict=True):
        file.write_bytes(scene.kept[other])
    named = scene.named()
    assert [digest for digest, _ in scene.blobs if digest not in named] == []


def test_moved_tags_are_named(scene):
    """Every tag is moved to every other manifest, of this candidate and of the other: each is named, every time."""
    digests = [f"sha256:{file.parent.name}" for file in scene.kept if "revisions" in file.parts]
    links = scene.tag_links()
    for turn in range(1, len(digests)):
        for _, link in links:
            link.write_text(digests[(digests.index(scene.kept[link].decode()) + turn) % len(digests)])
        named = scene.named()
        assert [tag for tag, _ in links if tag not in named] == []
    scene.restore()


def test_damaged_links_are_named(scene):
    """A tag whose link holds no digest, or is gone, is named."""
    for tag, link in scene.tag_links():
        for damage in (lambda file: file.write_text("sha256:none"), lambda file: file.unlink()):
            damage(link)
            assert tag in scene.named()
            scene.restore()


def test_attachments_of_another_candidate_are_named(scene):
    """Each tag of the first candidate's attachments names the second's attachment of the same kind: a replay."""
    other = read_layout(scene.layouts["b"]).descriptor.digest
    own = dict(scene.tag_links())
    pairs = [(f"sha256-{scene.subject.hex}{end}", f"sha256-{other.hex}{end}") for end in ("", ".att", ".sbom")]
    refs = [tag for tag in own if ".ref-" in tag]
    pairs += [
        (tag, theirs)
        for tag in refs
        for theirs in scene.registry.tags()
        if theirs.startswith(f"sha256-{other.hex}.ref-")
    ]
    for tag, theirs in pairs:
        own[tag].write_bytes(scene.kept[scene.repository / "_manifests/tags" / theirs / "current/link"])
        assert tag in scene.named()
        if ".ref-" in tag:
            with pytest.raises(IntegrityError, match="other bytes under its tag"):
                scene.registry.attachments(scene.subject)
        scene.restore()


def test_strange_tags_are_named(scene):
    """A tag beside the candidate's own is named, with whatever it is called."""
    source = scene.repository / "_manifests/tags/rc-b"
    for ending in (".sig", ".ref-" + "0" * 32, ".x"):
        strange = scene.repository / "_manifests/tags" / f"sha256-{scene.subject.hex}{ending}"
        shutil.copytree(source, strange)
        assert strange.name in scene.named()
        shutil.rmtree(strange)


def test_an_attachment_is_hashed_as_it_is_read(scene):
    """Reading attachments back raises and names the one whose bytes were changed."""
    content = attachments_of("a")[0].content
    [file] = [file for file, kept in scene.kept.items() if kept == content]
    file.write_bytes(content.replace(b"a", b"e"))
    with pytest.raises(IntegrityError, match=r"sbom/lens\.cdx\.json"):
        scene.registry.attachments(scene.subject)
