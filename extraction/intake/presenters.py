"""Buckets and objects as the API shows them."""

from __future__ import annotations

from typing import Any

from extraction.intake.domain import Outcome
from extraction.intake.models import Bucket, Object
from mixcv.kernel.api import error_body

_STATUS = {Object.State.PENDING: "PENDING", Object.State.READY: "COMPLETED", Object.State.FAILED: "FAILED"}


def bucket(row: Bucket) -> dict[str, Any]:
    return {
        "bucket_id": row.public_id,
        "bucket_name": row.name,
        "namespace_id": row.namespace.public_id,
        "description": row.description,
        "bucket_schema": row.schema or {"properties": {}},
        "metadata": row.metadata,
        "split_key": row.split_key,
        "unique_key": {"fields": row.unique_key, "default_policy": row.unique_policy or None}
        if row.unique_key
        else None,
        "object_count": row.object_count,
        "total_size_bytes": row.total_bytes,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
    }


def object_(row: Object, owner: Bucket) -> dict[str, Any]:
    details: dict[str, Any] = {"filename": row.key.rpartition("/")[2]}
    body: dict[str, Any] = {
        "object_id": row.public_id,
        "bucket_id": owner.public_id,
        "key_prefix": row.key.rpartition("/")[0] or None,
        "key": row.key,
        "status": _STATUS[Object.State(row.state)],
        "error": row.error or None,
        "metadata": row.metadata,
        "idempotency_key": row.idempotency_key or None,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
    }
    if row.image:
        original = row.image.original
        details |= {"size_bytes": original.size, "mime_type": original.mime_type, "hash": original.sha256}
        body |= {"width": row.image.width, "height": row.image.height, "split": row.image.split}
    blob: dict[str, Any] = {"property": row.property, "type": "image", "details": details}
    if row.source_url:
        blob["properties"] = {"url": row.source_url}
    body["blobs"] = [blob]
    return body


def outcomes(results: list[Outcome], owner: Bucket) -> dict[str, Any]:
    """Of several items: what went well, what did not and why, each with its place in the request."""
    good: list[dict[str, Any]] = []
    bad: list[dict[str, Any]] = []
    for place, result in enumerate(results):
        if result.object is not None:
            shown = object_(result.object, owner)
            good.append(shown | {"index": place, "replayed": result.status == "duplicate"})
        elif result.error is not None:
            bad.append({"index": place, "key": result.name, "error": error_body(result.error)["error"]})
    return {
        "succeeded": good,
        "failed": bad,
        "total_requested": len(results),
        "succeeded_count": len(good),
        "failed_count": len(bad),
    }
