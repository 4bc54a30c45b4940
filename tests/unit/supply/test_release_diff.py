"""What differs between two cuts is said by packages, files, findings and sizes."""

from lens_core.supply.manifest import Entry
from lens_core.supply.release_diff import Change, Contents, diff
from lens_core.supply.words import Component, Finding, Severity


def component(name, version, ecosystem="pypi"):
    """A package of an SBOM."""
    return Component(f"pkg:{ecosystem}/{name}@{version}", ecosystem, name, version)


def finding(subject, rule="B602"):
    """What a scanner found somewhere."""
    return Finding("bandit", rule, Severity.LOW, subject, "said at length")


def test_the_same_contents_do_not_differ():
    """Two equal cuts differ in nothing."""
    one = Contents("1", (Entry("a", 1, "0" * 64),), (component("x", "1"),), (finding("a.py:3"),))
    found = diff(one, one)
    assert (found.packages, found.files, found.findings) == ((), (), ())
    assert found.size_before == found.size_after == 1


def test_packages_are_added_removed_and_changed():
    """A package is known by ecosystem and name; one that is there twice shows both versions."""
    before = Contents("1", (), (component("kept", "1"), component("gone", "1"), component("moved", "1")), ())
    after = Contents(
        "2",
        (),
        (component("kept", "1"), component("new", "1"), component("moved", "2"), component("moved", "3")),
        (),
    )
    assert diff(before, after).packages == (
        Change("pypi/gone", "1", ""),
        Change("pypi/moved", "1", "2, 3"),
        Change("pypi/new", "", "1"),
    )


def test_one_name_in_two_ecosystems_is_two_packages():
    """A crate and a wheel of one name are not confused."""
    before = Contents("1", (), (component("x", "1"),), ())
    after = Contents("2", (), (component("x", "1", "cargo"),), ())
    assert [change.name for change in diff(before, after).packages] == ["cargo/x", "pypi/x"]


def test_files_differ_by_their_bytes():
    """A file of another digest is changed, and the sizes of all files are summed."""
    before = Contents("1", (Entry("a", 1, "0" * 64), Entry("b", 2, "1" * 64)), (), ())
    after = Contents("2", (Entry("a", 1, "2" * 64), Entry("c", 7, "1" * 64)), (), ())
    found = diff(before, after)
    assert [(c.name, bool(c.before), bool(c.after)) for c in found.files] == [
        ("a", True, True),
        ("b", True, False),
        ("c", False, True),
    ]
    assert (found.size_before, found.size_after) == (3, 8)


def test_a_finding_that_only_moved_is_no_other_one():
    """Lines move with every edit; another rule, place or count is a difference."""
    before = Contents("1", (), (), (finding("a.py:3"), finding("b.py:1")))
    after = Contents("2", (), (), (finding("a.py:9"), finding("b.py:1"), finding("b.py:2")))
    assert diff(before, after).findings == (Change("bandit B602 low b.py", "1×", "2×"),)


def test_a_finding_in_a_package_keeps_its_version():
    """The colon of a purl is no line."""
    before = Contents("1", (), (), (finding("pkg:pypi/x@1"),))
    after = Contents("2", (), (), (finding("pkg:pypi/x@2"),))
    assert len(diff(before, after).findings) == 2
