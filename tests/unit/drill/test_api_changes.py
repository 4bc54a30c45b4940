"""Two OpenAPI documents: what was promised and is taken back breaks, what is promised in addition does not."""

import copy

import pytest
from fake_engine import ADDITIVE, BREAKING, engine_document, parameter, schema
from hypothesis import given
from hypothesis import strategies as st

from lens_core.drills.api_changes import NEW_CLIENT, OLD_CLIENT, compare
from lens_core.drills.openapi import Document
from lens_core.errors import InvalidInput

HITS = "/paths/~1search/get/responses/200/content/application~1json/hits"
PLACES = {
    "drop_field": f"{HITS}/*/symbol",
    "change_default": "/paths/~1search/get/parameters/limit/schema/default",
    "drop_parameter": "/paths/~1search/get/parameters/language",
    "require_parameter": "/paths/~1search/get/parameters/limit/required",
    "add_required_parameter": "/paths/~1search/get/parameters/tenant",
    "retype_field": f"{HITS}/*/start_line",
    "drop_route": "/paths/~1outline/get",
    "narrow_range": "/paths/~1search/get/parameters/limit/schema/maximum",
    "narrow_values": "/paths/~1search/get/parameters/language/schema",
    "drop_code": "/paths/~1outline/get/responses/404",
    "change_media": "/paths/~1stats/get/responses/200/content/application~1json",
    "nullable_field": f"{HITS}/*/symbol",
}


def differences(change):
    """Between the engine's document and the changed one."""
    new = engine_document()
    change(new)
    return compare(Document(engine_document()), Document(new))


def test_the_same_document_has_no_differences():
    """Nothing changed, nothing said."""
    assert compare(Document(engine_document()), Document(engine_document())) == ()


@pytest.mark.parametrize("name", BREAKING)
def test_what_is_taken_back_breaks_an_old_client_at_its_place(name):
    """Exactly one place breaks, and it is the one that was changed."""
    broken = [each for each in differences(BREAKING[name]) if each.breaking]
    assert [each.place for each in broken] == [PLACES[name]]
    assert OLD_CLIENT in broken[0].whom
    assert broken[0].why


@pytest.mark.parametrize("name", ADDITIVE)
def test_what_is_added_breaks_nobody_and_says_who_waits(name):
    """A new client has to wait until no old server is left."""
    found = differences(ADDITIVE[name])
    assert found
    assert {(each.breaking, each.whom) for each in found} == {(False, (NEW_CLIENT,))}


@pytest.mark.parametrize("name", ["change_default", "retype_field", "change_media"])
def test_what_means_something_else_breaks_both_clients(name):
    """After a rollback, the new client is as wrong as the old one was before."""
    assert next(each.whom for each in differences(BREAKING[name]) if each.breaking) == (OLD_CLIENT, NEW_CLIENT)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda d: d.update(security=[{"key": []}]), id="security"),
        pytest.param(lambda d: d["paths"]["/search"]["get"].update(servers=[{"url": "/v2"}]), id="servers"),
        pytest.param(lambda d: parameter(d, "/search", "q").update(style="pipeDelimited"), id="style"),
        pytest.param(lambda d: schema(d, "HitBody")["properties"]["path"].update(contentSchema={}), id="content"),
        pytest.param(lambda d: parameter(d, "/search", "q")["schema"].update(pattern="^a"), id="pattern"),
        pytest.param(lambda d: schema(d, "HitBody").update(unevaluatedProperties=False), id="unknown word"),
    ],
)
def test_what_nobody_understands_is_not_called_harmless(change):
    """A member that is not read here breaks as soon as it differs."""
    assert any(each.breaking for each in differences(change))


def test_words_for_people_make_no_difference():
    """Titles and descriptions may be written anew."""

    def rename(document):
        document["info"]["title"] = "Other"
        document["paths"]["/search"]["get"]["summary"] = "Find"
        schema(document, "HitBody")["description"] = "A find"

    assert differences(rename) == ()


def tree(**more):
    """A document whose answer refers to itself."""
    node = {"type": "object", "properties": {"next": {"$ref": "#/components/schemas/Node"}, **more}}
    answer = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Node"}}}}
    return {
        "openapi": "3.1.0",
        "paths": {"/tree": {"get": {"responses": {"200": answer}}}},
        "components": {"schemas": {"Node": node}},
    }


def test_a_schema_that_refers_to_itself_is_compared_once():
    """A cycle ends, and a difference inside it is found."""
    assert compare(Document(tree()), Document(tree())) == ()
    found = compare(Document(tree(name={"type": "string"})), Document(tree()))
    assert [each.place.partition("json")[2] for each in found] == ["/name", "/next/name"]
    assert all(each.breaking for each in found)


def with_body(body):
    """A document with an operation that takes ``body``."""
    posted = {"responses": {"200": {"description": "ok"}}, **({} if body is None else {"requestBody": body})}
    return Document({"openapi": "3.1.0", "paths": {"/x": {"post": posted}}})


def body(field="a", *, required=False, media="application/json"):
    """An object with one field."""
    fields = {"type": "object", "properties": {field: {"type": "string"}}}
    return {"required": required, "content": {media: {"schema": fields}}}


@pytest.mark.parametrize(
    ("old", "new", "breaking"),
    [
        pytest.param(body(), None, True, id="taken away"),
        pytest.param(None, body(required=True), True, id="newly required"),
        pytest.param(None, body(), False, id="newly possible"),
        pytest.param(body(), body(required=True), True, id="required now"),
        pytest.param(body(required=True), body(), False, id="no longer required"),
        pytest.param(body("a"), body("b"), True, id="another field"),
        pytest.param(body(), body(media="text/plain"), True, id="another media type"),
    ],
)
def test_bodies_of_requests_are_compared_too(old, new, breaking):
    """An old client sends what the old document lets it."""
    found = compare(with_body(old), with_body(new))
    assert found
    assert any(each.breaking for each in found) is breaking


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param({"openapi": "2.0"}, id="another version"),
        pytest.param({"openapi": None}, id="no version"),
        pytest.param({"paths": []}, id="paths as a list"),
        pytest.param({"paths": {"/x": {"get": {"parameters": {}}}}}, id="parameters as an object"),
        pytest.param({"paths": {"/x": {"$ref": "https://example.org/x"}}}, id="elsewhere"),
        pytest.param({"paths": {"/x": {"$ref": "#/components/nothing"}}}, id="nowhere"),
        pytest.param({"paths": {"/x": {"$ref": "#/paths/~1x"}}}, id="itself"),
    ],
)
def test_a_document_that_cannot_be_read_is_refused(spoil):
    """What was not read was not compared."""
    with pytest.raises(InvalidInput):
        Document({**tree(), **spoil})


@pytest.mark.parametrize(
    "node",
    [
        pytest.param({"$ref": "#/components/schemas/Other"}, id="a reference to nothing"),
        pytest.param({"type": "integer", "minimum": "one"}, id="a bound that is no number"),
        pytest.param({"anyOf": {"type": "string"}}, id="alternatives that are no list"),
        pytest.param({"anyOf": [{"$ref": "#/components/schemas/Node/properties/x"}]}, id="its own alternative"),
    ],
)
def test_a_schema_that_cannot_be_read_is_refused(node):
    """Whichever side it stands on."""
    good, bad = Document(tree(x={"type": "integer"})), Document(tree(x=node))
    for one, other in ((good, bad), (bad, good)):
        with pytest.raises(InvalidInput):
            compare(one, other)


def test_it_is_the_same_every_time():
    """The order of members does not matter."""
    new = engine_document()
    for name in ("drop_field", "change_default", "drop_route", "narrow_values"):
        BREAKING[name](new)
    turned = {**{name: new[name] for name in reversed(new)}, "paths": dict(reversed(new["paths"].items()))}
    old = Document(engine_document())
    assert compare(old, Document(new)) == compare(old, Document(turned))


def visible(document):
    """Everything that an old client can see, as functions that take it away."""
    for path, methods in document["paths"].items():
        yield f"{path}", lambda d, p=path: d["paths"].pop(p)
        for number, each in enumerate(methods["get"].get("parameters", [])):
            yield f"{path} {each['name']}", lambda d, p=path, n=number: d["paths"][p]["get"]["parameters"].pop(n)
        for code in methods["get"]["responses"]:
            yield f"{path} {code}", lambda d, p=path, c=code: d["paths"][p]["get"]["responses"].pop(c)
    for name, said in document["components"]["schemas"].items():
        for field in said["properties"]:
            yield f"{name}.{field}", lambda d, n=name, f=field: schema(d, n)["properties"].pop(f)


VISIBLE = dict(visible(engine_document()))


@given(st.sets(st.sampled_from(sorted(VISIBLE)), min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_removing_anything_that_an_old_client_can_see_breaks(names, chance):
    """Whatever else is added at the same time."""
    new = engine_document()
    for name in sorted(names, key=lambda each: -len(each)):
        before = copy.deepcopy(new)
        try:
            VISIBLE[name](new)
        except (KeyError, IndexError):  # another one took it away already
            new = before
    add_at_random(new, chance)
    assert any(each.breaking for each in compare(Document(engine_document()), Document(new)))


def add_at_random(document, chance):
    """Some optional things, anywhere."""
    for methods in document["paths"].values():
        operation = methods["get"]
        if chance.random() < 0.4:
            added = {"name": f"new_{chance.randrange(9)}", "in": "query", "schema": {"type": "integer", "default": 1}}
            operation.setdefault("parameters", []).append(added)
        if chance.random() < 0.4:
            operation["responses"].setdefault("503", {"description": "later"})
    for said in document["components"]["schemas"].values():
        if chance.random() < 0.4:
            said["properties"][f"new_{chance.randrange(9)}"] = {"type": chance.choice(["string", "integer", "null"])}
        if chance.random() < 0.2:
            said["properties"]["again"] = {"anyOf": [{"$ref": "#/components/schemas/HitBody"}, {"type": "null"}]}
    if chance.random() < 0.5:
        document["paths"]["/new"] = engine_document()["paths"]["/health"]


@given(st.randoms(use_true_random=False))
def test_adding_optional_things_never_breaks(chance):
    """However many, and wherever."""
    new = engine_document()
    add_at_random(new, chance)
    assert not [each for each in compare(Document(engine_document()), Document(new)) if each.breaking]
