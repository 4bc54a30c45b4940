"""Cuts that the trusted key did sign, although something in them is wrong: by what it is, and the file at fault."""

import base64
import json
from functools import partial

from lens_core.supply import canonical, envelope, statement
from lens_core.supply.image_layout import BLOBS, INDEX, LAYOUT
from lens_core.supply.manifest import FORMAT, MANIFEST, SIGNATURE, SUMS, build, sign, signed_bytes
from lens_core.supply.statement import PROVENANCE
from study.cuts import SeededSigner, Shape, entries_of, files_of, provenance_of, resealed, sealed_cut
from study.mutants import GROUP_ORDER, sha256

SIGNER, STRANGER = SeededSigner(1), SeededSigner(2)
SHAPE = Shape()
TRUSTED = {SIGNER.key_id: SIGNER.public_key}


def signed(files, statement_bytes=None, signer=SIGNER):
    """A sealed cut of ``files``, with the provenance that belongs to them or with the statement given."""
    payload = statement.encode(provenance_of(SHAPE, files)) if statement_bytes is None else statement_bytes
    return resealed(dict(files) | {PROVENANCE: envelope.sign(payload, signer)}, SHAPE, SIGNER)


def with_image(change):
    """A cut whose image layout ``change`` has been at; index and manifest follow what it gives."""
    files = files_of(SHAPE)
    index = json.loads(files[INDEX])
    top = BLOBS + index["manifests"][0]["digest"][7:]
    manifest = json.loads(files.pop(top))
    change(files, index, manifest)
    blob = canonical.encode(manifest)
    index["manifests"][0] |= {"digest": f"sha256:{sha256(blob)}", "size": len(blob)} if index["manifests"] else {}
    return signed(files | {BLOBS + sha256(blob): blob, INDEX: canonical.encode(index)})


def with_manifest(content):
    """A cut whose manifest has other bytes, rightly signed."""
    cut = sealed_cut(SHAPE, SIGNER)
    return cut | {MANIFEST: content, SIGNATURE: SIGNER.sign(signed_bytes(content))}


def with_name(name):
    """A manifest that names one more file, in any way a hostile signer may write it."""
    document = json.loads(sealed_cut(SHAPE, SIGNER)[MANIFEST])
    entry = {"name": name, "sha256": sha256(b""), "size": 0}
    document["files"] = sorted([*document["files"], entry], key=lambda item: item["name"])
    return with_manifest(canonical.encode(document))


def with_envelope(change):
    """A cut whose envelope ``change`` has rewritten."""
    cut = sealed_cut(SHAPE, SIGNER)
    return resealed(cut | {PROVENANCE: change(json.loads(cut[PROVENANCE]))}, SHAPE, SIGNER)


def _layer(_files, manifest):
    return BLOBS + manifest["layers"][0]["digest"][7:]


def _rebased(document):
    payload = document["payload"].rstrip("=")
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    assert document["payload"] != payload, "the specimen's payload needs padding for this"
    last = letters[letters.index(payload[-1]) + 1]  # a padding bit: decodes to the same bytes
    assert base64.b64decode(payload[:-1] + last + "==") == base64.b64decode(document["payload"] + "==")
    return canonical.encode(document | {"payload": document["payload"].replace(payload, payload[:-1] + last)})


def _malleable(document):
    raw = base64.b64decode(document["signatures"][0]["sig"])
    scalar = (int.from_bytes(raw[32:], "little") + GROUP_ORDER).to_bytes(32, "little")
    document["signatures"][0]["sig"] = base64.b64encode(raw[:32] + scalar).decode()
    return canonical.encode(document)


def crooked():
    """What is wrong → the cut, and the file that must be named."""
    files, right = files_of(SHAPE), sealed_cut(SHAPE, SIGNER)
    said = statement.encode(provenance_of(SHAPE, files))
    other = sealed_cut(Shape("1.0.0-rc.2", "ab" * 20), SIGNER)
    fewer = {name: content for name, content in files.items() if name != "scan/osv-dir.json"}
    wrong_sums = dict(right) | {SUMS: right[SUMS].replace(b"  policy.json", b"  policies.json")}
    wrong_sums[MANIFEST] = _built(wrong_sums)
    no_sums = {name: content for name, content in right.items() if name != SUMS}
    no_sums[MANIFEST] = _built(no_sums)
    double = (
        b'{"_type":"https://in-toto.io/Statement/v1","subject":[],'
        + said[len(b'{"_type":"https://in-toto.io/Statement/v1",') :]
    )

    def config(said, files, _index, manifest):
        blob = canonical.encode(said)
        files.pop(BLOBS + manifest["config"]["digest"][7:])
        files[BLOBS + sha256(blob)] = blob
        manifest["config"] |= {"digest": f"sha256:{sha256(blob)}", "size": len(blob)}

    return {
        "another candidate's provenance": (signed(files, _payload(other)), PROVENANCE),
        "another candidate's envelope": (resealed(right | {PROVENANCE: other[PROVENANCE]}, SHAPE, SIGNER), PROVENANCE),
        "provenance of another version": (_of(Shape("1.0.0-rc.2")), PROVENANCE),
        "provenance of another commit": (_of(Shape(commit="ab" * 20)), PROVENANCE),
        "provenance of another source": (_of(Shape(source="ab" * 20)), PROVENANCE),
        "a stranger's provenance": (signed(files, signer=STRANGER), PROVENANCE),
        "a file without provenance": (signed(files, statement.encode(provenance_of(SHAPE, fewer))), PROVENANCE),
        "provenance of a file too many": (signed(fewer, said), PROVENANCE),
        "provenance that is no statement": (signed(files, b'{"subject":[]}'), PROVENANCE),
        "provenance with subjects twice": (signed(files, double), PROVENANCE),
        "an envelope of another type": (
            with_envelope(lambda d: canonical.encode(d | {"payloadType": "text/plain"})),
            PROVENANCE,
        ),
        "an envelope with two signatures": (
            with_envelope(lambda d: canonical.encode(d | {"signatures": d["signatures"] * 2})),
            PROVENANCE,
        ),
        "an envelope with spaces": (with_envelope(lambda d: json.dumps(d, sort_keys=True).encode()), PROVENANCE),
        "an envelope that ends in a zero": (with_envelope(lambda d: canonical.encode(d) + b"\0"), PROVENANCE),
        "an envelope with padding bits": (with_envelope(_rebased), PROVENANCE),
        "an envelope with S + L": (with_envelope(_malleable), PROVENANCE),
        "sums that differ": (wrong_sums | {SIGNATURE: sign(wrong_sums[MANIFEST], SIGNER)}, SUMS),
        "no sums": (no_sums | {SIGNATURE: sign(no_sums[MANIFEST], SIGNER)}, SUMS),
        "a manifest of another key": (with_manifest(_built(right, STRANGER.key_id)), MANIFEST),
        "a manifest of another format": (with_manifest(right[MANIFEST].replace(FORMAT.encode(), b"v2")), MANIFEST),
        "a manifest with spaces": (with_manifest(right[MANIFEST].replace(b":", b": ", 1)), MANIFEST),
        "a manifest with a line end": (with_manifest(right[MANIFEST] + b"\n"), MANIFEST),
        "a manifest with a zero": (with_manifest(right[MANIFEST].replace(b"files", b"fi\0les")), MANIFEST),
        "a manifest with a key twice": (
            with_manifest(b'{"commit":"' + b"5e" * 20 + b'",' + right[MANIFEST][1:]),
            MANIFEST,
        ),
        "a manifest that is not sorted": (with_manifest(_reversed(right[MANIFEST])), MANIFEST),
        "a manifest without files": (with_manifest(_emptied(right[MANIFEST])), MANIFEST),
        "a size with a leading zero": (with_manifest(right[MANIFEST].replace(b'"size":', b'"size":0', 1)), MANIFEST),
        **{
            f"a file named {name!r}": (with_name(name), MANIFEST)
            for name in (
                "../policy.json",
                "/etc/passwd",
                "a//b",
                "a\\b",
                "a\nb",
                "./a",
                "-rf",
                "manifest.sig",
                "a b",
                "é",
            )
        },
        "a blob under another digest": (
            with_image(lambda f, _i, m: f.update({_layer(f, m): b"other bytes"})),
            _layer({}, _image_manifest(files)),
        ),
        "a blob too few": (with_image(lambda f, _i, m: f.pop(_layer(f, m))), _layer({}, _image_manifest(files))),
        "a blob too many": (
            with_image(lambda f, _i, _m: f.update({BLOBS + sha256(b"implant"): b"implant"})),
            BLOBS + sha256(b"implant"),
        ),
        "a file beside the blobs": (with_image(lambda f, _i, _m: f.update({"image/run.sh": b"x"})), "image/run.sh"),
        "a layer of another size": (with_image(lambda _f, _i, m: m["layers"][0].update(size=1)), None),
        "a layer too many for the configuration": (
            with_image(partial(config, {"rootfs": {"diff_ids": [], "type": "layers"}})),
            None,
        ),
        "no layers": (with_image(lambda _f, _i, m: m.update(layers=[])), None),
        "two images": (with_image(lambda _f, i, _m: i["manifests"].append(dict(i["manifests"][0]))), INDEX),
        "an unknown layout": (
            with_image(lambda f, _i, _m: f.update({LAYOUT: b'{"imageLayoutVersion":"2.0.0"}'})),
            LAYOUT,
        ),
        "an index of another schema": (with_image(lambda _f, i, _m: i.update(schemaVersion=1)), INDEX),
        "an index that is an array": (signed(files | {INDEX: b"[]"}, said), INDEX),
        "an index with a line end": (signed(files | {INDEX: files[INDEX] + b"\n"}), INDEX),
        "an image of another schema": (with_image(lambda _f, _i, m: m.update(schemaVersion=1)), None),
        "a layer without a size": (with_image(lambda _f, _i, m: m["layers"][0].pop("size")), None),
        "a layer under another algorithm": (
            with_image(lambda _f, _i, m: m["layers"][0].update(digest="sha512:" + "0" * 128)),
            None,
        ),
        "a configuration without layers": (with_image(partial(config, {"rootfs": {}})), None),
        "no layout file": (with_image(lambda f, _i, _m: f.pop(LAYOUT)), LAYOUT),
    }


def _of(shape):
    """A cut with provenance that was made of ``shape``, but names the files that are there."""
    files = files_of(SHAPE)
    return signed(files, statement.encode(provenance_of(shape, files)))


def _payload(cut):
    return envelope.open_envelope(cut[PROVENANCE], TRUSTED)


def _built(cut, key=SIGNER.key_id):
    kept = {name: content for name, content in cut.items() if name not in {MANIFEST, SIGNATURE}}
    return build(entries_of(kept), version=SHAPE.version, commit=SHAPE.commit, key=key)


def _reversed(manifest):
    document = json.loads(manifest)
    return canonical.encode(document | {"files": document["files"][::-1]})


def _emptied(manifest):
    return canonical.encode(json.loads(manifest) | {"files": []})


def _image_manifest(files):
    return json.loads(files[BLOBS + json.loads(files[INDEX])["manifests"][0]["digest"][7:]])
