"""What one schema allows and another takes: every keyword, in answers and in requests."""

import pytest

from lens_core.drills.openapi import Document
from lens_core.drills.schema_fit import Fit, Kind, Role
from lens_core.errors import InvalidInput

DOCUMENT = Document({"openapi": "3.1.0", "paths": {}, "components": {"schemas": {"Text": {"type": "string"}}}})
TEXT, WHOLE, NUMBER, NULL = ({"type": name} for name in ("string", "integer", "number", "null"))
LISTED = {"enum": ["a", "b"]}
CLOSED = {"type": "object", "additionalProperties": False}


def kinds(given, taken, role=Role.ANSWER):
    """(place, kind) of every misfit."""
    return {(each.place, each.kind) for each in Fit(DOCUMENT, DOCUMENT, role).misfits(given, taken)}


def thing(required=(), **properties):
    """An object."""
    return {"type": "object", "properties": properties, "required": list(required)}


def mapped(of):
    """An object with any names."""
    return {"type": "object", "additionalProperties": of}


def listed(of):
    """A list."""
    return {"type": "array", "items": of}


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        pytest.param(WHOLE, NUMBER, id="a whole number is a number"),
        pytest.param(TEXT, {}, id="anything takes text"),
        pytest.param(TEXT, True, id="true takes text"),
        pytest.param(False, TEXT, id="nothing fits everywhere"),
        pytest.param({"$ref": "#/components/schemas/Text"}, TEXT, id="a reference is what it refers to"),
        pytest.param({"const": "a"}, LISTED, id="one of the listed"),
        pytest.param({"enum": [1, 2]}, WHOLE, id="listed whole numbers"),
        pytest.param({"enum": [1.5]}, NUMBER, id="listed numbers"),
        pytest.param({"enum": ["a", None]}, {"anyOf": [TEXT, NULL]}, id="listed of two types"),
        pytest.param({"type": ["string", "null"]}, {"anyOf": [NULL, TEXT]}, id="two ways to write null"),
        pytest.param(TEXT, {"oneOf": [WHOLE, TEXT]}, id="one alternative"),
        pytest.param({"allOf": [thing(a=TEXT), thing(["b"], b=WHOLE)]}, thing(["b"], a=TEXT, b=WHOLE), id="all of"),
        pytest.param({**TEXT, "pattern": "^a"}, TEXT, id="a narrower pattern"),
        pytest.param({**WHOLE, "minimum": 2, "maximum": 3}, {**WHOLE, "minimum": 1, "maximum": 4}, id="within"),
        pytest.param({"properties": {"a": TEXT}}, thing(a=TEXT), id="an object that does not say so"),
        pytest.param(mapped(WHOLE), {"type": "object"}, id="a map"),
        pytest.param(listed(WHOLE), listed(NUMBER), id="a list"),
        pytest.param({"type": "array"}, {"type": "array"}, id="a list of anything"),
        pytest.param({**TEXT, "title": "A", "x-order": 1}, TEXT, id="words for people"),
    ],
)
def test_what_is_taken_fits(given, taken):
    """In an answer."""
    assert kinds(given, taken) == set()


@pytest.mark.parametrize(
    ("given", "taken", "found"),
    [
        pytest.param(NUMBER, WHOLE, ("", Kind.TYPE), id="a number is not always whole"),
        pytest.param({}, TEXT, ("", Kind.TYPE), id="anything is not text"),
        pytest.param(TEXT, False, ("", Kind.TYPE), id="nothing is taken"),
        pytest.param({"anyOf": [TEXT, NULL]}, TEXT, ("", Kind.TYPE), id="null"),
        pytest.param(TEXT, LISTED, ("", Kind.VALUES), id="any text"),
        pytest.param({"enum": ["a", "c"]}, LISTED, ("", Kind.VALUES), id="another value"),
        pytest.param({"enum": [True]}, {"enum": [1]}, ("", Kind.TYPE), id="true is not one"),
        pytest.param(WHOLE, {**WHOLE, "maximum": 9}, ("/maximum", Kind.RANGE), id="no limit"),
        pytest.param({**WHOLE, "minimum": 0}, {**WHOLE, "minimum": 1}, ("/minimum", Kind.RANGE), id="too low"),
        pytest.param({"enum": [12]}, {**WHOLE, "maximum": 9}, ("/maximum", Kind.RANGE), id="a listed value beyond"),
        pytest.param(TEXT, {**TEXT, "pattern": "^a"}, ("/pattern", Kind.UNREAD), id="a wider pattern"),
        pytest.param({**TEXT, "pattern": "b"}, {**TEXT, "pattern": "a"}, ("/pattern", Kind.UNREAD), id="another"),
        pytest.param({**TEXT, "contentSchema": {}}, TEXT, ("/contentSchema", Kind.UNREAD), id="an unknown word"),
        pytest.param({"allOf": [TEXT, {"type": "string", "format": "a"}, {"format": "b"}]}, {**TEXT, "format": "a"},
                     ("/allOf format", Kind.UNREAD), id="a contradiction"),
        pytest.param(thing(a=TEXT), thing(["a"], a=TEXT), ("/a", Kind.REQUIRED), id="may be left out"),
        pytest.param(thing(), thing(["a"], a=TEXT), ("/a", Kind.REMOVED), id="is not given"),
        pytest.param(thing(), thing(["a"]), ("/a", Kind.REMOVED), id="is required and not described"),
        pytest.param(thing(a=WHOLE), thing(a=TEXT), ("/a", Kind.TYPE), id="of another type"),
        pytest.param(listed(TEXT), listed(WHOLE), ("/*", Kind.TYPE), id="items"),
        pytest.param({"type": "array"}, listed(WHOLE), ("/*", Kind.TYPE), id="items of any kind"),
        pytest.param(mapped(TEXT), mapped(WHOLE),
                     ("/*", Kind.TYPE), id="a map of another type"),
        pytest.param(mapped(TEXT), CLOSED,
                     ("/*", Kind.ADDED), id="a map where none is taken"),
        pytest.param({"type": "object"}, mapped(WHOLE), ("/*", Kind.TYPE),
                     id="a map of anything"),
        pytest.param(CLOSED, mapped(WHOLE),
                     ("/*", Kind.REMOVED), id="a map that is no longer one"),
        pytest.param(thing(a=TEXT), {**thing(), "additionalProperties": False}, ("/a", Kind.ADDED), id="closed"),
        pytest.param(thing(a={**WHOLE, "default": 1}), thing(a={**WHOLE, "default": 2}), ("/a/default", Kind.DEFAULT),
                     id="another default"),
        pytest.param(thing(a={"default": 1}), thing(a={"default": True}), ("/a/default", Kind.DEFAULT),
                     id="true is no default of one"),
    ],
)  # fmt: skip
def test_what_is_not_taken_is_found(given, taken, found):
    """At its place, once."""
    assert kinds(given, taken) == {found}


def test_a_request_may_not_have_what_the_server_does_not_know():
    """A client that sends a field is not served by one that ignores it; one that it does not send is no matter."""
    assert kinds(thing(a=TEXT), thing(), Role.REQUEST) == {("/a", Kind.ADDED)}
    assert kinds(thing(), thing(a=TEXT), Role.REQUEST) == set()
    assert kinds(thing(), thing(["a"], a=TEXT), Role.REQUEST) == {("/a", Kind.REMOVED)}


def test_an_answer_may_have_more_than_the_client_knows_and_not_less():
    """Clients pass over what they do not know, and miss what they do."""
    assert kinds(thing(a=TEXT), thing()) == set()
    assert kinds(thing(), thing(a=TEXT)) == {("/a", Kind.REMOVED)}


def test_a_default_of_what_is_always_given_is_no_matter():
    """Nobody leaves it out."""
    assert kinds(thing(["a"], a={"default": 1}), thing(["a"], a={"default": 2})) == set()


def test_schemas_that_refer_to_each_other_without_end_are_refused():
    """Rather than compared for hours."""
    names = [f"s{number}" for number in range(12)]
    fields = {name: {"$ref": f"#/components/schemas/{name}"} for name in names}
    schemas = {name: thing(**{key: dict(value) for key, value in fields.items()}) for name in names}
    document = Document({"openapi": "3.1.0", "paths": {}, "components": {"schemas": schemas}})
    with pytest.raises(InvalidInput, match="too often"):
        Fit(document, document, Role.ANSWER).misfits({"$ref": "#/components/schemas/s0"}, schemas["s0"])


def test_a_chain_of_references_is_followed_to_its_end():
    """Members beside a reference win over what it refers to."""
    schemas = {"A": {"$ref": "#/components/schemas/B", "maxLength": 3}, "B": {"$ref": "#/components/schemas/C~1%7E0"}}
    schemas["C/~"] = {"type": "string", "maxLength": 9}
    document = Document({"openapi": "3.1.0", "paths": {}, "components": {"schemas": schemas}})
    assert document.follow({"$ref": "#/components/schemas/A"}) == {"type": "string", "maxLength": 3}
