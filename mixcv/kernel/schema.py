"""The OpenAPI document of the API, and the page on which it is read."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema

from mixcv.kernel.schema_examples import whole_example

_INSIDE = re.compile(r"^/v1/namespaces/\{namespace_ref\}/")
_WITHOUT_NAMESPACE = ("/v1/namespaces", "/v1/me", "/v1/health")

_ERROR: dict[str, Any] = {
    "type": "object",
    "required": ["success", "status", "error"],
    "properties": {
        "success": {"type": "boolean", "const": False},
        "status": {"type": "integer"},
        "error": {
            "type": "object",
            "required": ["type", "message", "details"],
            "properties": {
                "type": {"type": "string"},
                "message": {"type": "string"},
                "code": {"type": "string"},
                "details": {"type": "object"},
            },
        },
    },
}
PLACES = {
    "annotation_id": "ann_0abc",
    "batch_ref": "btch_0abc",
    "bucket_ref": "bkt_security_footage",
    "collection_ref": "col_detected_objects",
    "dataset_id": "ds_street",
    "document_id": "doc_frame_001",
    "execution_id": "exec_0abc",
    "feature_extractor_id": "yolo_detector_1_0_0",
    "extractor_id": "yolo_detector_1_0_0",
    "model_id": "yolo-detector_2_0_0",
    "namespace": "ns_demo",
    "object_ref": "obj_0abc",
    "plugin_id": "yolo_detector_1_0_0",
    "retriever_id": "ret_detection_review",
    "task_id": "task_0abc",
    "upload_id": "upl_0abc",
    "version": 1,
}
_EXAMPLE = {
    "success": False,
    "status": 404,
    "error": {
        "type": "NotFoundError",
        "message": "There is no bucket 'bkt_lobby' in demo.",
        "code": "not_found",
        "details": {"validation_errors": [{"type": "not_found", "location": ["body", "bucket_id"]}]},
    },
}


class OperationSchema(AutoSchema):
    """Operations stand under their view's `tag`."""

    def get_tags(self) -> list[str]:
        return [getattr(self.view, "tag", "") or "Other"]


def api_paths(endpoints: list[Any], **kwargs: Any) -> list[Any]:
    """Every call once: those under a namespace's address are the same as those beside the header."""
    return [one for one in endpoints if one[0].startswith("/v1/") and not _INSIDE.match(one[0])]


def add_errors_and_namespace(
    result: dict[str, Any], generator: Any, request: Any, public: bool
) -> dict[str, Any]:
    """What all operations share: the form of errors, and the header that names the namespace."""
    parts = result.setdefault("components", {})
    parts.setdefault("schemas", {})["Error"] = _ERROR
    parts.setdefault("parameters", {})["Namespace"] = {
        "name": "X-Namespace",
        "in": "header",
        "schema": {"type": "string"},
        "description": "The namespace's id or name. Without it: the key's own. The same call also lies under "
        "/v1/namespaces/{namespace}/ and needs no header there.",
    }
    error = {"$ref": "#/components/schemas/Error"}
    answer = {
        "description": "What was wrong, what is allowed, and how to mend it.",
        "content": {"application/json": {"schema": error, "examples": {"Error": {"value": _EXAMPLE}}}},
    }
    for path, methods in result["paths"].items():
        for operation in methods.values():
            _fill_examples(operation, parts["schemas"])
            _name_places(operation)
            operation["responses"]["4XX"] = answer
            operation["responses"]["503"] = answer
            if not path.startswith(_WITHOUT_NAMESPACE):
                operation.setdefault("parameters", []).append({"$ref": "#/components/parameters/Namespace"})
    return result


def _name_places(operation: dict[str, Any]) -> None:
    """Parts of addresses have examples, so that each call can be tried as it stands."""
    for parameter in operation.get("parameters", []):
        if parameter.get("in") == "path" and parameter["name"] in PLACES:
            parameter["example"] = PLACES[parameter["name"]]


def _fill_examples(operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Every JSON body and answer has one whole example, built around what the operation gives."""
    for place in (operation.get("requestBody", {}), *operation["responses"].values()):
        content = place.get("content", {}).get("application/json")
        if not content or "schema" not in content:
            continue
        named = content.get("examples") or {"Example": {}}
        is_answer = "description" in place
        for example in named.values():
            given = example.get("value")
            if is_answer or given is None:
                example["value"] = whole_example(content["schema"], given, schemas)
        content["examples"] = named


@lru_cache(maxsize=1)
def document() -> dict[str, Any]:
    """The document; made once in a process, since the routes do not change."""
    generator: Any = SchemaGenerator  # not typed
    schema: dict[str, Any] = generator().get_schema(request=None, public=True)
    return schema


def openapi(request: HttpRequest) -> JsonResponse:
    """`GET /openapi.json`: for programs. It says nothing that the source code does not."""
    return JsonResponse(document(), headers={"Access-Control-Allow-Origin": "*"})


def api_page(request: HttpRequest) -> HttpResponse:
    """The same for people, served from here alone."""
    return render(request, "api.html")
