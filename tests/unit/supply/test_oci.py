"""Manifests of attachments: one input, one digest; and what is not of ours is not read as ours."""

import json
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oci_samples import attachments_of

from lens_core.errors import IntegrityError, InvalidInput
from lens_core.model import Digest
from lens_core.supply.oci import (
    MANIFEST,
    Attachment,
    Descriptor,
    Referrer,
    conveniences,
    digest_of,
    image_blobs,
    parse_json,
    subject_tag,
    to_json,
)

SUBJECT = Descriptor(MANIFEST, Digest("sha256:" + "1" * 64), 500)
OTHER = Descriptor(MANIFEST, Digest("sha256:" + "2" * 64), 500)
REFERRERS = [Referrer.of(each) for each in attachments_of()]


def test_a_manifest_says_what_is_attached_to_what():
    """OCI 1.1: artifact type, subject, one layer with the file's name, the empty config."""
    manifest = json.loads(REFERRERS[0].manifest(SUBJECT))
    assert manifest["artifactType"] == "application/vnd.cyclonedx+json"
    assert manifest["subject"] == SUBJECT.json()
    assert manifest["config"]["digest"] == str(digest_of(b"{}"))
    [layer] = manifest["layers"]
    assert layer["digest"] == str(REFERRERS[0].digest)
    assert layer["annotations"] == {"org.opencontainers.image.title": "sbom/lens.cdx.json"}


def test_a_tag_follows_from_subject_and_content():
    """Another subject or another byte has another tag, and each is one that a registry takes."""
    changed = Referrer.of(Attachment("sbom/lens.cdx.json", "application/vnd.cyclonedx+json", b"{}"))
    tags = {each.tag(of) for each in [*REFERRERS, changed] for of in (SUBJECT, OTHER)}
    assert len(tags) == 8
    assert all(len(tag) <= 128 and tag.startswith("sha256-") for tag in tags)


@pytest.mark.parametrize("referrer", REFERRERS, ids=lambda each: each.name)
def test_a_manifest_is_read_back_for_its_own_subject_only(referrer):
    """For another candidate it is a replay."""
    content = referrer.manifest(SUBJECT)
    assert Referrer.parse(SUBJECT, content) == referrer
    with pytest.raises(IntegrityError, match="under its tag"):
        Referrer.parse(OTHER, content)


@given(st.data())
def test_no_changed_byte_of_a_manifest_is_read_as_the_same(data):
    """Whatever is read from changed bytes is another attachment, or nothing."""
    content = REFERRERS[0].manifest(SUBJECT)
    place = data.draw(st.integers(0, len(content) - 1))
    changed = content[:place] + bytes([data.draw(st.integers(0, 255))]) + content[place + 1 :]
    try:
        read = Referrer.parse(SUBJECT, changed)
    except IntegrityError:
        return
    assert read.manifest(SUBJECT) == changed
    assert (read == REFERRERS[0]) == (changed == content)


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"layers": []}', b'{"layers": [1]}', b"[" * 99_999, b"\xff"])
def test_what_is_no_manifest_of_an_attachment_is_refused(content):
    """Nothing, nonsense, and JSON nested too deep."""
    with pytest.raises(IntegrityError, match="expected the manifest"):
        Referrer.parse(SUBJECT, content)


def test_conveniences_do_not_depend_on_order_or_repetition():
    """Whoever computes the index last writes the same bytes as anybody else."""
    made = {
        json.dumps(dict(conveniences(SUBJECT, order).manifests), default=bytes.decode)
        for order in permutations(REFERRERS)
    }
    made.add(json.dumps(dict(conveniences(SUBJECT, REFERRERS * 2).manifests), default=bytes.decode))
    assert len(made) == 1


def test_cosigns_places_hold_what_it_looks_for():
    """DSSE envelopes under .att, CycloneDX under .sbom, everything in the index, and no empty place."""
    made = conveniences(SUBJECT, REFERRERS).manifests
    root = subject_tag(SUBJECT.digest)
    assert set(made) == {root, f"{root}.att", f"{root}.sbom"}
    assert [layer["digest"] for layer in json.loads(made[f"{root}.att"])["layers"]] == [str(REFERRERS[1].digest)]
    assert len(json.loads(made[root])["manifests"]) == 3
    assert set(conveniences(SUBJECT, REFERRERS[2:]).manifests) == {root}


@pytest.mark.parametrize("name", ["", "/etc/passwd", "../x", "a/../b", "a b", "a\n", "é", "-x", "a" * 201])
def test_a_name_that_is_no_relative_path_is_refused(name):
    """Whoever writes attachments into a folder must not be led out of it."""
    with pytest.raises(InvalidInput, match="relative path"):
        Attachment(name, "application/json", b"")


@pytest.mark.parametrize("media_type", ["", "json", "a/b/c", "application/json; charset=utf-8", "a/b\n"])
def test_a_media_type_that_is_none_is_refused(media_type):
    """It also serves as the artifact type."""
    with pytest.raises(InvalidInput, match="media type"):
        Attachment("a", media_type, b"")


@pytest.mark.parametrize(
    "change",
    [
        {"schemaVersion": 1},
        {"mediaType": "application/vnd.docker.distribution.manifest.v2+json"},
        {"layers": []},
        {"layers": None},
        {"config": None},
        {"layers": [{"mediaType": "a/b", "digest": "sha256:../../x", "size": 1}]},
        {"layers": [{"mediaType": "a/b", "digest": str(SUBJECT.digest), "size": True}]},
        {"layers": [{"mediaType": "a/b", "digest": str(SUBJECT.digest), "size": -1}]},
    ],
)
def test_what_is_no_image_has_no_blobs(change):
    """An image without layers, another schema, a digest that is a path, a size that is none."""
    sound = {"schemaVersion": 2, "config": SUBJECT.json(), "layers": [OTHER.json(), OTHER.json()]}
    assert image_blobs(to_json(sound)) == (SUBJECT, OTHER)
    with pytest.raises(ValueError, match="expected"):
        image_blobs(to_json({**sound, **change}))


def test_a_key_that_is_there_twice_is_no_json_of_ours():
    """Two readers could take different ones."""
    with pytest.raises(ValueError, match="twice"):
        parse_json(b'{"layers": [], "layers": [1]}')
