"""What was pushed is an image that a real engine pulls by digest and knows by its config's digest."""

import json
import secrets

import docker
import pytest
from oci_samples import attachments_of, write_layout
from supply_places import docker_host, registry_url

from lens_core.adapters.layout_reader import read_layout
from lens_core.adapters.registry import Registry


@pytest.fixture
def engine():
    """A client of the engine."""
    client = docker.DockerClient(base_url=docker_host(), timeout=60)
    yield client
    client.close()


def test_the_engine_pulls_what_was_pushed(engine, tmp_path):
    """By digest; the image's id is the config's digest, and its layers are ours."""
    layout = write_layout(tmp_path / "image", secrets.token_hex(8))
    cut = read_layout(layout)
    with Registry(registry_url(), "lens-tests/pull", timeout_s=20, progress=lambda _: None) as registry:
        digest = registry.push(layout, f"rc-{digest_word(cut)}")
        registry.attach(digest, attachments_of())
        reference = registry.reference(digest)
    image = engine.images.pull(reference)
    try:
        config = json.loads(cut.open(cut.blobs[0]).read())
        assert image.id == str(cut.blobs[0].digest)
        assert image.attrs["RootFS"]["Layers"] == config["rootfs"]["diff_ids"]
        assert image.attrs["RepoDigests"] == [reference]
    finally:
        engine.images.remove(reference, force=True)


def digest_word(cut):
    """A tag of this test's own."""
    return cut.descriptor.digest.short
