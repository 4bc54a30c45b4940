"""CycloneDX 1.6's own JSON schema, the strict one: unknown members are not allowed.

The schema is the copy in cyclonedx-python-lib; jsonschema-rs reads it in some forty milliseconds, a fortieth of
what that library's validator takes to be loaded. The tests hold the two against each other.
"""

import json
from functools import cache
from importlib.resources import files
from typing import Any

import jsonschema_rs

_ROOT = "http://cyclonedx.org/schema/"
_SCHEMA = "bom-1.6.SNAPSHOT.schema.json"
_REFERRED = ("spdx.SNAPSHOT.schema.json", "jsf-0.82.SNAPSHOT.schema.json")


def problem_of(document: Any) -> str:
    """The first thing in which ``document`` does not keep to the schema; empty when it does."""
    error = next(_validator().iter_errors(document), None)
    return "" if error is None else f"{error.message} at /{'/'.join(str(part) for part in error.instance_path)}"


@cache
def _validator() -> jsonschema_rs.Validator:
    registry = jsonschema_rs.Registry([(_ROOT + name, _read(name)) for name in _REFERRED], retriever=_never)
    return jsonschema_rs.validator_for(_read(_SCHEMA), registry=registry, validate_formats=True)


def _read(name: str) -> Any:
    return json.loads(files("cyclonedx").joinpath("schema", "_res", name).read_bytes())


def _never(uri: str) -> Any:
    """Nothing is fetched: a verification opens no socket."""
    raise LookupError(f"{uri} is not part of the schema")
