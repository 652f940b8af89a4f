"""Examples of the OpenAPI document, filled up from the schema so that each is whole and fits it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_BY_NAME: dict[str, Any] = {
    "annotation_id": "ann_0abc",
    "batch_id": "btch_0abc",
    "bucket_id": "bkt_security_footage",
    "root_bucket_id": "bkt_security_footage",
    "class": "person",
    "collection_id": "col_detected_objects",
    "confidence": 0.62,
    "document_id": "doc_frame_001",
    "execution_id": "exec_0abc",
    "feature_uri": "mixpeek://yolo_detector@1.0.0/detection_embedding",
    "filename": "frame_001.jpg",
    "label": "confirmed",
    "message": "Done.",
    "namespace_id": "ns_demo",
    "next_cursor": None,
    "next_page": None,
    "object_id": "obj_0abc",
    "root_object_id": "obj_0abc",
    "plugin_id": "yolo_detector_1_0_0",
    "previous_page": None,
    "presigned_url": "https://mixcv.example/v1/uploads/upl_0abc?expires=1777000000&signature=0a1b",
    "retriever_id": "ret_detection_review",
    "task_id": "task_0abc",
    "upload_id": "upl_0abc",
    "version": "1.0.0",
}
_DEEPEST = 8


def whole_example(
    schema: Mapping[str, Any], given: Any, schemas: Mapping[str, Any], *, name: str = "", depth: int = 0
) -> Any:
    """A value that fits `schema`, with what `given` says of it."""
    schema = _resolved(schema, schemas)
    if given is not None and not isinstance(given, dict | list):
        return given
    kind = _kind(schema, given)
    if kind == "object":
        return _object(schema, given if isinstance(given, dict) else {}, schemas, depth)
    if kind == "array":
        if isinstance(given, list):
            items = schema.get("items", {})
            return [whole_example(items, one, schemas, depth=depth + 1) for one in given]
        if depth >= _DEEPEST or "maxItems" in schema:
            return []
        return [whole_example(schema.get("items", {}), None, schemas, depth=depth + 1)]
    if given is not None:
        return given
    return _plain(schema, kind, name)


def _object(
    schema: Mapping[str, Any], given: Mapping[str, Any], schemas: Mapping[str, Any], depth: int
) -> dict[str, Any]:
    known = schema.get("properties", {})
    found: dict[str, Any] = {}
    for name, inner in known.items():
        if depth >= _DEEPEST and name not in schema.get("required", []):
            continue
        if name in given and given[name] is None:
            found[name] = None
        else:
            found[name] = whole_example(inner, given.get(name), schemas, name=name, depth=depth + 1)
    return {**found, **{name: value for name, value in given.items() if name not in known}}


def _plain(schema: Mapping[str, Any], kind: str, name: str) -> Any:
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][0]
    fits = {"string": str, "integer": int, "number": int | float, "boolean": bool}.get(kind)
    if name in _BY_NAME and _BY_NAME[name] is None and _may_be_null(schema):
        return None
    if fits and isinstance(_BY_NAME.get(name), fits):
        return _BY_NAME[name]
    if kind == "string" and schema.get("format") == "date-time":
        return "2026-05-03T14:30:00Z"
    if kind in {"integer", "number"}:
        return max(1, schema.get("minimum", 1))
    if kind == "null" or (kind == "string" and _may_be_null(schema)):
        return None
    return {"string": "text", "boolean": True}.get(kind)


def _resolved(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Mapping[str, Any]:
    while "$ref" in schema:
        schema = schemas[schema["$ref"].rpartition("/")[2]]
    for word in ("allOf", "oneOf", "anyOf"):
        if schema.get(word):
            rest = {key: value for key, value in schema.items() if key != word}
            return {**rest, **_resolved(schema[word][0], schemas)}
    return schema


def _kind(schema: Mapping[str, Any], given: Any) -> str:
    kinds = schema.get("type", "object" if "properties" in schema else "")
    if isinstance(kinds, list):
        kinds = next((kind for kind in kinds if kind != "null"), "null")
    if not kinds and isinstance(given, dict | list):
        return "object" if isinstance(given, dict) else "array"
    return str(kinds)


def _may_be_null(schema: Mapping[str, Any]) -> bool:
    kinds = schema.get("type", [])
    return isinstance(kinds, list) and "null" in kinds
