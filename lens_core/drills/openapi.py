"""Reads an OpenAPI 3.1 document (spec.openapis.org/oas/v3.1.1): its operations, and its schemas with no ``$ref`` left.

Only references within the document are followed, nothing is fetched. A document that cannot be read to its end is
InvalidInput: what was not read was not compared.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote

from lens_core.errors import InvalidInput

METHODS: Final = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
REMARKS: Final = frozenset({
    "title", "summary", "description", "example", "examples", "deprecated", "externalDocs", "tags", "operationId",
    "$comment", "readOnly", "writeOnly",
})  # fmt: skip
"""Members that say something to people and nothing to a client."""
_HINT: Final = "serve the document that FastAPI makes, as it is"
_MANY: Final = 64

Schema = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path. ``parameters`` by (where, name), ``responses`` by code; ``rest`` is what nobody reads."""

    path: str
    method: str
    parameters: Mapping[tuple[str, str], Schema]
    body: Schema | None
    responses: Mapping[str, Schema]
    rest: Mapping[str, Any]


class Document:
    """A document that was read; InvalidInput for one that is none, or of another version than 3.1."""

    def __init__(self, root: Any) -> None:
        if not isinstance(root, Mapping):
            raise InvalidInput(f"expected an OpenAPI document, saw {type(root).__name__}", _HINT)
        version = root.get("openapi")
        if not isinstance(version, str) or not version.startswith("3.1."):
            raise InvalidInput(f"expected an OpenAPI document of version 3.1, saw {version!r}", _HINT)
        self.root: Mapping[str, Any] = root
        self.operations = {(each.path, each.method): each for each in self._operations()}

    @property
    def version(self) -> str:
        """What ``info.version`` says, empty when it says nothing."""
        return str(_mapping(self.root.get("info", {}), "info").get("version", ""))

    @property
    def rest(self) -> Mapping[str, Any]:
        """What holds for all operations, and nobody reads here: servers, security, webhooks."""
        read = {"openapi", "info", "paths", "components", "jsonSchemaDialect", *REMARKS}
        return {name: value for name, value in self.root.items() if name not in read and not name.startswith("x-")}

    def follow(self, part: Any) -> Schema:
        """``part`` with its references replaced by what they refer to; members beside a reference win."""
        if isinstance(part, bool):
            return {} if part else {"not": {}}
        here = _mapping(part, "a schema")
        for _ in range(_MANY):
            reference = here.get("$ref")
            if reference is None:
                return here
            beside = {name: value for name, value in here.items() if name != "$ref"}
            there = self._at(reference)
            here = {**there, **beside} if beside else there
        raise InvalidInput(f"the reference {here.get('$ref')!r} leads round in a circle", _HINT)

    def _at(self, reference: Any) -> Schema:
        if not isinstance(reference, str) or not reference.startswith("#/"):
            raise InvalidInput(f"expected a reference within the document, saw {reference!r}", _HINT)
        here: Any = self.root
        for token in reference[2:].split("/"):
            name = unquote(token).replace("~1", "/").replace("~0", "~")
            here = here.get(name) if isinstance(here, Mapping) else None
        if here is None:
            raise InvalidInput(f"the reference {reference!r} refers to nothing", _HINT)
        return _mapping(here, reference)

    def _operations(self) -> Iterator[Operation]:
        for path, raw in sorted(_mapping(self.root.get("paths", {}), "paths").items()):
            item = self.follow(raw)
            shared = item.get("parameters", [])
            for method in METHODS:
                if method in item:
                    yield self._operation(path, method, _mapping(item[method], f"{method} {path}"), shared)

    def _operation(self, path: str, method: str, said: Mapping[str, Any], shared: Any) -> Operation:
        parameters = {}
        for each in (*_items(shared, path), *_items(said.get("parameters", []), path)):
            parameter = self.follow(each)
            parameters[str(parameter.get("in")), str(parameter.get("name"))] = parameter
        body = self.follow(said["requestBody"]) if "requestBody" in said else None
        answers = _mapping(said.get("responses", {}), f"the responses of {path}")
        responses = {str(code): self.follow(answer) for code, answer in answers.items()}
        read = {"parameters", "requestBody", "responses", *REMARKS}
        rest = {name: value for name, value in said.items() if name not in read and not name.startswith("x-")}
        return Operation(path, method, parameters, body, responses, rest)


def _mapping(value: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InvalidInput(f"expected {what} to be an object, saw {type(value).__name__}", _HINT)
    return value


def _items(value: Any, path: str) -> list[Any]:
    if not isinstance(value, list):
        raise InvalidInput(f"expected the parameters of {path} to be a list, saw {type(value).__name__}", _HINT)
    return value


def token(name: str) -> str:
    """``name`` as one step of a JSON pointer (RFC 6901)."""
    return name.replace("~", "~0").replace("/", "~1")
