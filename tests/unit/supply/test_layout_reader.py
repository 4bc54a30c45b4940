"""A layout on disk: one image, whose manifest is what its digest says."""

import json

import pytest
from oci_samples import write_layout

from lens_core.adapters.layout_reader import read_layout
from lens_core.errors import IntegrityError, InvalidInput


@pytest.fixture
def layout(tmp_path):
    """A sound one."""
    return write_layout(tmp_path / "image")


def test_a_sound_layout_is_read(layout):
    """Config first, then the layers; each can be opened."""
    cut = read_layout(layout)
    assert json.loads(cut.open(cut.blobs[0]).read())["os"] == "linux"
    assert len(cut.blobs) == 3
    assert (layout / "blobs/sha256" / cut.descriptor.digest.hex).read_bytes() == cut.manifest


@pytest.mark.parametrize("name", ["oci-layout", "index.json"])
@pytest.mark.parametrize("content", [None, "", "[]", "{}", '{"manifests": []}', '{"imageLayoutVersion": "2.0.0"}'])
def test_what_is_no_layout_is_refused(layout, name, content):
    """A file that is missing, empty, of another version, or that names no image."""
    (layout / name).unlink()
    if content is not None:
        (layout / name).write_text(content)
    with pytest.raises(InvalidInput, match="layout"):
        read_layout(layout)


def test_two_images_are_refused(layout):
    """It would be luck which one is pushed."""
    index = json.loads((layout / "index.json").read_text())
    (layout / "index.json").write_text(json.dumps({**index, "manifests": index["manifests"] * 2}))
    with pytest.raises(InvalidInput, match="one image"):
        read_layout(layout)


@pytest.mark.parametrize("change", [lambda content: content[:-1], lambda content: content[:-1] + b" ", None])
def test_a_manifest_that_is_not_its_digests_is_refused(layout, change):
    """Shorter, changed, or gone: the file is named."""
    cut = read_layout(layout)
    file = layout / "blobs/sha256" / cut.descriptor.digest.hex
    if change:
        file.write_bytes(change(cut.manifest))
    else:
        file.unlink()
    with pytest.raises(IntegrityError, match=cut.descriptor.digest.hex):
        read_layout(layout)


def test_a_blob_that_is_gone_or_of_another_length_is_named(layout):
    """Before anything is sent."""
    cut = read_layout(layout)
    file = layout / "blobs/sha256" / cut.blobs[1].digest.hex
    file.write_bytes(b"x")
    with pytest.raises(IntegrityError, match="saw 1 bytes"):
        cut.open(cut.blobs[1])
    file.unlink()
    with pytest.raises(IntegrityError, match="no such file"):
        cut.open(cut.blobs[1])
