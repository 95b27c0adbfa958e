"""Parameters: JSON text from the benchmark, checked against the scorer's schema."""

import json
from collections.abc import Mapping
from typing import Any

_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}


class ParamsError(Exception):
    """The parameters of the benchmark are wrong: which one, what was found and what was expected."""


def read_params(text: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the parameters, with the ``default`` of every property that the benchmark does not give.

    Of JSON Schema these keywords are checked, at any depth: ``type``, ``enum``, ``minimum``, ``maximum``,
    ``exclusiveMinimum``, ``exclusiveMaximum``, ``properties``, ``required``, ``additionalProperties`` (as a boolean) and
    ``items``. The others are for readers; a scorer's ``prepare`` checks what they say.

    Raises:
        ParamsError: The text is not a JSON object, or the schema forbids it.
    """
    try:
        params = json.loads(text or "{}")
    except ValueError as error:
        raise ParamsError(f"the parameters are not JSON: {error}") from None
    if not isinstance(params, dict):
        raise ParamsError(f"the parameters must be an object, found {_shown(params)}")
    for name, rules in schema.get("properties", {}).items():
        if "default" in rules:
            params.setdefault(name, rules["default"])
    _check(params, schema, "")
    return params


def _check(value: Any, schema: Mapping[str, Any], path: str) -> None:
    where = f"parameter `{path}`" if path else "the parameters"
    expected = schema.get("type")
    if expected is not None:
        types = [expected] if isinstance(expected, str) else list(expected)
        if not any(_has_type(value, name) for name in types):
            raise ParamsError(f"{where} must be of type {' or '.join(types)}, found {_shown(value)}")
    if "enum" in schema and not any(_equal(value, option) for option in schema["enum"]):
        options = ", ".join(_shown(option) for option in schema["enum"])
        raise ParamsError(f"{where} must be one of {options}, found {_shown(value)}")
    if _has_type(value, "number"):
        _check_bounds(value, schema, where)
    if isinstance(value, dict):
        _check_properties(value, schema, path)
    if isinstance(value, list) and "items" in schema:
        for index, item in enumerate(value):
            _check(item, schema["items"], f"{path}[{index}]")


def _check_bounds(value: float, schema: Mapping[str, Any], where: str) -> None:
    if "minimum" in schema and not value >= schema["minimum"]:
        raise ParamsError(f"{where} must be at least {_shown(schema['minimum'])}, found {_shown(value)}")
    if "maximum" in schema and not value <= schema["maximum"]:
        raise ParamsError(f"{where} must be at most {_shown(schema['maximum'])}, found {_shown(value)}")
    if "exclusiveMinimum" in schema and not value > schema["exclusiveMinimum"]:
        raise ParamsError(f"{where} must be above {_shown(schema['exclusiveMinimum'])}, found {_shown(value)}")
    if "exclusiveMaximum" in schema and not value < schema["exclusiveMaximum"]:
        raise ParamsError(f"{where} must be below {_shown(schema['exclusiveMaximum'])}, found {_shown(value)}")


def _check_properties(value: dict[str, Any], schema: Mapping[str, Any], path: str) -> None:
    prefix = f"{path}." if path else ""
    properties: Mapping[str, Any] = schema.get("properties", {})
    for name in schema.get("required", ()):
        if name not in value:
            raise ParamsError(f"parameter `{prefix}{name}` is missing")
    for name, item in value.items():
        if name in properties:
            _check(item, properties[name], prefix + name)
        elif schema.get("additionalProperties") is False:
            known = ", ".join(f"`{known}`" for known in properties) or "none"
            raise ParamsError(f"unknown parameter `{prefix}{name}`, expected {known}")


def _has_type(value: Any, name: str) -> bool:
    if isinstance(value, bool):
        return name == "boolean"
    if name == "integer":
        return isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    return isinstance(value, _TYPES.get(name, ()))


def _equal(value: Any, option: Any) -> bool:
    # In Python True == 1, in JSON it is not.
    return isinstance(value, bool) == isinstance(option, bool) and bool(value == option)


def _shown(value: Any) -> str:
    return f"`{json.dumps(value, ensure_ascii=False)}`"
