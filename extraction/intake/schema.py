"""A bucket's schema, and metadata checked against it. Pure functions over JSON values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from mixcv.kernel.errors import InvalidInput

FILE_TYPES = {"image", "audio", "video", "pdf", "excel"}
FIELD_TYPES = {
    "string",
    "text",
    "number",
    "integer",
    "float",
    "boolean",
    "object",
    "array",
    "date",
    "datetime",
} | FILE_TYPES
_FIELD_KEYS = {"type", "required", "default", "items", "properties", "examples", "description", "enum"}
_MOST_FIELDS = 200


class BadMetadata(InvalidInput):
    code = "bad_metadata"


class BadSchema(InvalidInput):
    code = "bad_schema"


def check_json(value: Any, *, field: str) -> None:
    """Refuse what a JSON column cannot hold: NaN, infinities, NUL and lone surrogates, and depth without end."""
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False)
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise BadMetadata(f"{field} has a character that is no valid Unicode.", field=field) from None
    except (ValueError, TypeError, RecursionError):
        raise BadMetadata(
            f"{field} has a value that JSON has no form for (NaN, Infinity, or nested too deep).", field=field
        ) from None
    if "\\u0000" in text:
        raise BadMetadata(f"{field} has a NUL character, which cannot be stored.", field=field)
    if len(text) > 1_000_000:
        raise BadMetadata(f"{field} has more than 1,000,000 characters.", field=field)


def check_schema(schema: Any) -> dict[str, Any]:
    """A bucket's schema as it is kept. Raises BadSchema naming the key at fault."""
    if not isinstance(schema, Mapping):
        raise BadSchema("bucket_schema must be an object with properties.", field="bucket_schema")
    check_json(schema, field="bucket_schema")
    if unknown := sorted(set(schema) - {"properties"}):
        raise BadSchema(
            f"bucket_schema has the unknown key {unknown[0]!r}; allowed: properties.",
            field=f"bucket_schema.{unknown[0]}",
        )
    properties = schema.get("properties", {})
    if not isinstance(properties, Mapping) or len(properties) > _MOST_FIELDS:
        raise BadSchema(
            f"properties must be an object of at most {_MOST_FIELDS} fields.",
            field="bucket_schema.properties",
        )
    for name, field in properties.items():
        place = f"bucket_schema.properties.{name}"
        if not isinstance(field, Mapping):
            raise BadSchema(f'{name} must be an object like {{"type": "text"}}.', field=place)
        if unknown := sorted(set(field) - _FIELD_KEYS):
            raise BadSchema(
                f"{name} has the unknown key {unknown[0]!r}; allowed: {', '.join(sorted(_FIELD_KEYS))}.",
                field=f"{place}.{unknown[0]}",
            )
        kind = field.get("type")
        if not isinstance(kind, str) or kind not in FIELD_TYPES:
            raise BadSchema(
                f"{name} has the type {kind!r}; allowed: {', '.join(sorted(FIELD_TYPES))}.",
                field=f"{place}.type",
            )
        if not isinstance(field.get("required", False), bool):
            raise BadSchema(f"required of {name} must be true or false.", field=f"{place}.required")
        if "enum" in field and not isinstance(field["enum"], list):
            raise BadSchema(f"enum of {name} must be a list of the values allowed.", field=f"{place}.enum")
    return dict(schema)


def metadata_fields(schema: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The schema's fields that stand in metadata: all but files."""
    return {
        name: field
        for name, field in schema.get("properties", {}).items()
        if field.get("type") not in FILE_TYPES
    }


def image_fields(schema: Mapping[str, Any]) -> list[str]:
    """The schema's fields that are images."""
    return [name for name, field in schema.get("properties", {}).items() if field.get("type") == "image"]


def check_metadata(metadata: Any, schema: Mapping[str, Any]) -> dict[str, Any]:
    """Metadata with the schema's defaults. Keys beyond the schema are kept as they are.

    Raises BadMetadata naming the key that is missing or of the wrong type.
    """
    if not isinstance(metadata, Mapping):
        raise BadMetadata("metadata must be an object.", field="metadata")
    check_json(metadata, field="metadata")
    checked = dict(metadata)
    for name, field in metadata_fields(schema).items():
        value = checked.get(name)
        if value is None:
            if "default" in field:
                checked[name] = field["default"]
            elif field.get("required"):
                raise BadMetadata(
                    f"metadata lacks {name!r}, which this bucket requires ({field['type']}).",
                    field=f"metadata.{name}",
                )
            continue
        if not _fits(value, field["type"]):
            raise BadMetadata(
                f"metadata.{name} is {_short(value)}; this bucket wants {_wanted(field['type'])}.",
                field=f"metadata.{name}",
            )
        if field.get("enum") and value not in field["enum"]:
            allowed = ", ".join(map(str, field["enum"]))
            raise BadMetadata(
                f"metadata.{name} is {_short(value)}; allowed: {allowed}.", field=f"metadata.{name}"
            )
    return checked


def _fits(value: Any, kind: str) -> bool:
    if kind in {"string", "text"}:
        return isinstance(value, str)
    if kind in {"number", "float"}:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if kind == "integer":
        return isinstance(value, int) and not isinstance(value, bool)
    if kind == "boolean":
        return isinstance(value, bool)
    if kind == "object":
        return isinstance(value, dict)
    if kind == "array":
        return isinstance(value, list)
    return isinstance(value, str) and _is_date(value, with_time=kind == "datetime")


def _is_date(text: str, *, with_time: bool) -> bool:
    try:
        if with_time:
            datetime.fromisoformat(text)
        else:
            date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _wanted(kind: str) -> str:
    return {
        "date": "a date like 2026-05-03",
        "datetime": "a time like 2026-05-03T14:30:00Z",
        "text": "text",
    }.get(kind, f"a value of type {kind}")


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}…"
