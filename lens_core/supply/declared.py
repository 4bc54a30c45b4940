"""The reviewed list of what an image of Lens's own base may hold without an owner, and may leave out."""

from collections.abc import Mapping

from lens_core.supply.ownership import Declared

LEFT_OUT = (
    Declared("usr/share/doc/**", "documentation is left out of the base (licences are kept)", may_be_absent=True),
    Declared("usr/share/doc-base/**", "documentation is left out of the base", may_be_absent=True),
    Declared("usr/share/man/**", "manual pages are left out of the base", may_be_absent=True),
    Declared("usr/share/info/**", "manuals are left out of the base", may_be_absent=True),
    Declared("usr/share/locale/**", "translations are left out of the base", may_be_absent=True),
    Declared("usr/share/lintian/**", "for packagers only; left out of the base", may_be_absent=True),
    Declared("usr/share/bug/**", "for bug reports only; left out of the base", may_be_absent=True),
)


def base_declarations(reasons: Mapping[str, str], digests: Mapping[str, str]) -> tuple[Declared, ...]:
    """What the builder of a base has made by hand, by content, and what it leaves out.

    ``reasons`` says by path why a file is there, ``digests`` its SHA-256 in hex as the *builder* knows it; one
    that is taken from the image to be judged proves nothing. A path without a digest is declared by name alone.
    """
    made = [
        Declared(path, reason, sha256=digests[path])
        if path in digests
        else Declared(path, reason, generated_by="the builder of the base")
        for path, reason in sorted(reasons.items())
    ]
    return (*made, *LEFT_OUT)
