"""Which previous versions there are, and how they are asked for."""

from dataclasses import replace

import pytest

from lens_core.drills.previous import Previous, parse_previous, render_previous, select_previous, with_previous
from lens_core.errors import InvalidInput

OLD = Previous("0.9.0", "c" * 40, "0.22.2", "a.whl", "a" * 64, "a.lock", "b" * 64, "a.tar.xz", "d" * 64)
NEW = replace(OLD, version="1.0.0rc1", tantivy="0.27.0")


def test_what_is_written_is_read_back():
    """The text of two versions gives the same two, in the same order."""
    assert parse_previous(render_previous([OLD, NEW])) == (OLD, NEW)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("version", "v0.9.0"),
        ("version", "0.9"[:1]),
        ("commit", "C" * 40),
        ("commit", "c" * 39),
        ("tantivy", ""),
        ("wheel", "../a.whl"),
        ("wheel", "/a.whl"),
        ("wheel_sha256", "sha256:" + "a" * 57),
        ("lock", ".hidden"),
        ("index_sha256", ""),
    ],
    ids=lambda value: value[:12] or "empty",
)
def test_a_value_of_another_shape_is_refused(name, value):
    """Above all a file name that leads out of the folder, and a digest that is none."""
    text = render_previous([OLD]).replace(f'{name} = "{getattr(OLD, name)}"', f'{name} = "{value}"')
    assert value not in {getattr(OLD, field) for field in ("version", "wheel")}
    with pytest.raises(InvalidInput, match=name):
        parse_previous(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "nothing"),
        ("previous = []", "previous"),
        ("[[previous]]\n", "keys"),
        ("previous = [1]", "keys"),
        (render_previous([OLD]) + "more = 1\n", "keys"),
        ("other = 1\n" + render_previous([OLD]), "other"),
        (render_previous([OLD, OLD]), "0.9.0 again"),
        (render_previous([OLD]).replace('tantivy = "0.22.2"', "tantivy = 22"), "saw 22"),
        ("previous = [", "not TOML"),
    ],
    ids=["empty", "none", "bare", "number", "more-keys", "more-tables", "twice", "no-text", "no-toml"],
)
def test_a_file_that_is_not_wholly_understood_is_refused(text, words):
    """A file without a version is no evidence of compatibility, and one with an unknown key means something else."""
    with pytest.raises(InvalidInput, match=words):
        parse_previous(text)


@pytest.mark.parametrize(
    ("wanted", "versions"),
    [
        ("", ["0.9.0", "1.0.0rc1"]),
        ("v0.9.0", ["0.9.0"]),
        ("0.9.0", ["0.9.0"]),
        (" v1.0.0rc1 , 0.9.0,v0.9.0", ["0.9.0", "1.0.0rc1"]),
    ],
    ids=["all", "with-v", "without-v", "both"],
)
def test_versions_are_selected_by_name(wanted, versions):
    """With or without a v, in the order in which they are registered, each once; all when none is named."""
    assert [previous.version for previous in select_previous((OLD, NEW), wanted)] == versions


@pytest.mark.parametrize("wanted", ["v0.8.0", "0.9.0,0.8.0", "0.9.0,", ",", "latest"])
def test_an_unknown_version_is_named_with_those_that_are_known(wanted):
    """What was asked for is never silently left out, not even an empty name."""
    with pytest.raises(InvalidInput, match=r"among 0\.9\.0, 1\.0\.0rc1, saw '"):
        select_previous((OLD, NEW), wanted)


def test_a_released_version_joins_at_the_end():
    """Registering the same version again replaces its entry instead of making a second."""
    assert with_previous((OLD,), NEW) == (OLD, NEW)
    again = replace(OLD, commit="e" * 40)
    assert with_previous((OLD, NEW), again) == (again, NEW)


def test_people_write_a_version_with_a_v():
    """The tag is the version with a v before it."""
    assert OLD.tag == "v0.9.0"
