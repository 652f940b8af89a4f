"""Templates in filters and queries: `{{INPUT.x}}` stands for what a caller sends along."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from mixcv.kernel.errors import InvalidInput

_TEMPLATE = re.compile(r"\{\{\s*([A-Za-z]+)\.([^{}]{1,200}?)\s*\}\}")
_ABSENT = object()


def fill(value: Any, inputs: Mapping[str, Any], schema: Mapping[str, Any] | None = None) -> Any:
    """`value` with its templates replaced by `inputs`.

    A template that is the whole text keeps the input's type; one within a text is written into it. `schema` maps an
    input to `{"required", "default"}`: where it is not required and not sent it is its default or None, and a filter's
    condition on it falls away. Raises InvalidInput naming an input that is missing.
    """
    filled = _fill(value, inputs, schema or {})
    return None if filled is _ABSENT else filled


def names_in(value: Any) -> list[str]:
    """The inputs that the templates of a value name, each once, in the order of their first place."""
    return list(dict.fromkeys(_names(value)))


def _names(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield from (name for kind, name in _TEMPLATE.findall(value) if kind.upper() in {"INPUT", "INPUTS"})
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _names(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _names(inner)


def _fill(value: Any, inputs: Mapping[str, Any], schema: Mapping[str, Any]) -> Any:
    if isinstance(value, str):
        return _text(value, inputs, schema)
    if isinstance(value, list):
        filled = [_fill(inner, inputs, schema) for inner in value]
        return [inner for inner in filled if inner is not _ABSENT]
    if isinstance(value, Mapping):
        parts = {key: _fill(inner, inputs, schema) for key, inner in value.items()}
        if "field" in parts and parts.get("value") is _ABSENT:
            return _ABSENT
        return {key: None if inner is _ABSENT else inner for key, inner in parts.items()}
    return value


def _text(text: str, inputs: Mapping[str, Any], schema: Mapping[str, Any]) -> Any:
    whole = _TEMPLATE.fullmatch(text.strip())
    if whole:
        return _input(whole, inputs, schema)

    def written(match: re.Match[str]) -> str:
        found = _input(match, inputs, schema)
        return "" if found is None or found is _ABSENT else str(found)

    return _TEMPLATE.sub(written, text)


def _input(match: re.Match[str], inputs: Mapping[str, Any], schema: Mapping[str, Any]) -> Any:
    kind, name = match.group(1).upper(), match.group(2)
    if kind not in {"INPUT", "INPUTS"}:
        raise InvalidInput(
            f"{match.group()} cannot be filled in here: only {{{{INPUT.…}}}} is, from the inputs of the call.",
            field="inputs",
        )
    found: Any = inputs
    for part in name.split("."):
        if not isinstance(found, Mapping) or part not in found:
            return _missing(name, schema)
        found = found[part]
    return found


def _missing(name: str, schema: Mapping[str, Any]) -> Any:
    wanted = schema.get(name)
    if isinstance(wanted, Mapping):
        if wanted.get("default") is not None:
            return wanted["default"]
        if not wanted.get("required", False):
            return _ABSENT
    raise InvalidInput(
        f"The input {name} is missing: send it as inputs.{name}. An empty text as query searches by the filters alone.",
        field=f"inputs.{name}",
    )
