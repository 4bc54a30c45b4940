"""An image's bytes follow from its content: time, machine and engine leave no trace."""

import gzip
import io
import json
import tarfile

import pytest

from lens_core.errors import IntegrityError
from lens_core.supply.image import (
    Origin,
    compressed,
    decompressed,
    digest_of,
    file_facts,
    image_of,
    index_of,
    squash,
)

ORIGIN = Origin("1.0.0-rc.1", "a" * 40, "sha256:" + "b" * 64, 1_700_000_000)
CONFIG = {
    "architecture": "amd64",
    "os": "linux",
    "created": "2026-01-01T00:00:00Z",
    "container": "c0ffee",
    "container_config": {"Hostname": "c0ffee"},
    "docker_version": "20.10.24",
    "config": {"Hostname": "c0ffee", "Image": "sha256:1", "User": "65532:65532", "Cmd": ["serve"], "OnBuild": None},
    "history": [{"created": "2026-01-01T00:00:00Z", "created_by": "/bin/sh -c #(nop) USER"}],
}


def tar_of(*entries, **attributes):
    """A tar of (path, content) pairs; content None is a folder."""
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for path, content in entries:
            info = tarfile.TarInfo(path)
            if content is None:
                info.type, info.mode = tarfile.DIRTYPE, 0o755
            for name, value in attributes.items():
                setattr(info, name, value)
            info.size = len(content or b"")
            tar.addfile(info, io.BytesIO(content or b""))
    return whole.getvalue()


def names(tar):
    """The paths of a tar, in its order."""
    with tarfile.open(fileobj=io.BytesIO(tar)) as opened:
        return opened.getnames()


def test_builds_that_differ_in_time_owner_umask_and_order_become_the_same_bytes():
    """What a build adds of its own is gone after ``squash``."""
    one = tar_of(("opt/b", b"2"), ("opt/a", b"1"), mtime=5, uid=0, mode=0o600)
    two = tar_of(("./opt/a", b"1"), ("opt/b", b"2"), mtime=99, uid=1000, uname="me", mode=0o664)
    assert squash([one], 7) == squash([two], 7)
    assert squash([one], 7) != squash([one], 8)


def test_an_executable_stays_one():
    """Modes become u=rwX,go=rX: the X is kept, set-user-id is not."""
    with tarfile.open(fileobj=io.BytesIO(squash([tar_of(("bin/run", b"x"), mode=0o4710)], 0))) as tar:
        assert tar.getmember("bin/run").mode == 0o755


def test_a_later_layer_wins_and_layers_are_one():
    """How many layers an engine makes of a recipe changes nothing."""
    split = squash([tar_of(("a", b"old")), tar_of(("a", b"new"), ("b", b""))], 0)
    assert split == squash([tar_of(("a", b"new"), ("b", b""))], 0)


def test_a_hard_link_stands_behind_its_file():
    """A tar that names the link first could not be unpacked."""
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as tar:
        info = tarfile.TarInfo("z")
        info.size = 1
        tar.addfile(info, io.BytesIO(b"1"))
        link = tarfile.TarInfo("a")
        link.type, link.linkname = tarfile.LNKTYPE, "z"
        tar.addfile(link)
    assert names(squash([whole.getvalue()], 0)) == ["z", "a"]


@pytest.mark.parametrize("path", ["opt/.wh.app", "../etc/passwd", "opt/../../x"])
def test_a_layer_that_removes_or_escapes_is_refused(path):
    """A whiteout would be lost when layers become one, so it is refused as is a path out of the root."""
    with pytest.raises(IntegrityError):
        squash([tar_of((path, b""))], 0)


def test_a_device_is_refused():
    """Nothing but files, folders and links may be in the layer."""
    with pytest.raises(IntegrityError, match="dev/null"):
        squash([tar_of(("dev/null", b""), type=tarfile.CHRTYPE)], 0)


def test_a_compressed_layer_is_gzip_without_time_or_system():
    """Any gzip reads it, and its header is constant."""
    layer = compressed(b"content" * 1000)
    assert layer.blob[:10] == b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
    assert gzip.decompress(layer.blob) == decompressed(layer.blob) == b"content" * 1000
    assert (layer.diff_id, layer.digest) == (digest_of(b"content" * 1000), digest_of(layer.blob))


@pytest.mark.parametrize(
    "damage", [lambda blob: blob[:-1], lambda blob: blob + b"x", lambda blob: blob[:40] + b"\xff" * 9]
)
def test_a_damaged_layer_is_refused(damage):
    """Cut short, longer, or other bytes: never silently another layer."""
    with pytest.raises(IntegrityError):
        decompressed(damage(compressed(bytes(range(256)) * 64).blob))


def test_the_configuration_keeps_what_a_container_is_started_with_and_nothing_of_the_engine():
    """Two engines' words about one image give one image id and one manifest."""
    layers = [compressed(b"base"), compressed(b"app")]
    other = CONFIG | {"created": "2027", "container": "beef", "docker_version": "29", "history": []}
    other["config"] = CONFIG["config"] | {"Hostname": "beef", "Image": "", "ArgsEscaped": True}
    image = image_of(CONFIG, layers, ORIGIN)
    assert image == image_of(other, layers, ORIGIN)
    body = json.loads(image.config)
    assert body["config"] == {"User": "65532:65532", "Cmd": ["serve"]}
    assert body["created"] == "2023-11-14T22:13:20Z"
    assert len(body["history"]) == len(body["rootfs"]["diff_ids"]) == 2


def test_the_manifest_and_the_index_name_what_they_hold():
    """Digest and size of each part are those of its bytes."""
    image = image_of(CONFIG, [compressed(b"base")], ORIGIN)
    manifest = json.loads(image.manifest)
    assert manifest["config"]["digest"] == str(image.image_id)
    assert manifest["layers"][0]["size"] == len(image.layers[0].blob)
    (entry,) = json.loads(index_of(image, "1.0.0-rc.1", CONFIG))["manifests"]
    assert (entry["digest"], entry["size"]) == (str(image.digest), len(image.manifest))
    assert entry["annotations"] == {"org.opencontainers.image.ref.name": "1.0.0-rc.1"}


def test_shells_and_files_with_others_rights_are_found_in_any_layer():
    """A shell by name in a folder of programs, set-user-id by mode, capabilities by attribute."""
    layers = [
        tar_of(("usr/bin/dash", b""), ("usr/share/doc/sh", b"")),
        tar_of(("usr/bin/su", b""), mode=0o4755),
        tar_of(("usr/bin/fine", b""), mode=0o755),
    ]
    facts = file_facts(layers)
    assert (facts.files, facts.shells, facts.privileged) == (4, ("usr/bin/dash",), ("usr/bin/su",))


def test_a_file_with_capabilities_counts_as_privileged():
    """Linux keeps them in an extended attribute, tar in a header of the file's own."""
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w", format=tarfile.PAX_FORMAT) as tar:
        info = tarfile.TarInfo("usr/bin/ping")
        info.pax_headers = {"SCHILY.xattr.security.capability": "x"}
        tar.addfile(info)
    assert file_facts([whole.getvalue()]).privileged == ("usr/bin/ping",)
