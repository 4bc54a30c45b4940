"""A registry's garbage collection takes nothing that belongs to a candidate, and a restart changes nothing."""

import json

import pytest
from oci_samples import attachments_of, write_layout
from registry_process import own_registry

from lens_core.adapters.registry import Registry
from lens_core.supply.oci import INDEX, MANIFEST, Descriptor, subject_tag, to_json


@pytest.fixture
def own(tmp_path):
    """A registry of this test's own, not started."""
    return own_registry(tmp_path)


def client(own):
    """One client."""
    return Registry(own.url, "team/lens", timeout_s=20, progress=lambda _: None)


def test_every_attachment_outlives_the_garbage_collection(own, tmp_path):
    """Untagged manifests are deleted, one that is only listed in an index among them; all of ours are there."""
    layout = write_layout(tmp_path / "image")
    with own.running(), client(own) as registry:
        subject = registry.push(layout, "rc")
        registry.attach(subject, attachments_of())
        # As another tool attaches: a manifest without a tag, listed in the index.
        theirs = to_json({"schemaVersion": 2, "mediaType": MANIFEST, **plain(registry, subject)})
        listed = Descriptor.of(MANIFEST, theirs)
        registry._shelf.put(str(listed.digest), MANIFEST, theirs)
        tag = subject_tag(subject)
        index = json.loads(registry._shelf.manifest(tag))
        index["manifests"].append(listed.json())
        registry._shelf.put(tag, INDEX, to_json(index))
        registry.attach(subject, attachments_of())
        assert listed.digest.hex in registry._shelf.manifest(tag).decode(), "what others listed is kept"
        assert registry.verify(layout, "rc", attachments_of()) != (), "and is a fault: the cut does not know it"
    deleted = own.collect_garbage()
    assert listed.digest.hex in deleted
    with own.running(), client(own) as registry:
        assert set(registry.attachments(subject)) == set(attachments_of())
        registry.attach(subject, attachments_of())
        assert registry.verify(layout, "rc", attachments_of()) == ()


def plain(registry, subject):
    """Config, layers and subject of a manifest that has only what every repository here has."""
    manifest = json.loads(registry._shelf.manifest(str(subject)))
    of = Descriptor.of(MANIFEST, registry._shelf.manifest(str(subject)))
    return {"config": manifest["config"], "layers": manifest["layers"][:1], "subject": of.json()}
