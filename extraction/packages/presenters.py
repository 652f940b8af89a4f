"""Extractors and models as the API shows them."""

from __future__ import annotations

from typing import Any

from extraction.packages.manifest import normal_metric
from extraction.packages.models import ExtractorVersion, RegistryModel
from extraction.packages.queries import models_needed

State = ExtractorVersion.State
_STATUS = {
    State.REGISTERED: "NOT_DEPLOYED",
    State.READY: "DEPLOYED",
    State.FAILED: "FAILED",
    State.RETIRED: "NOT_DEPLOYED",
}
_MODEL_STATUS = {
    RegistryModel.State.REGISTERED: "NOT_DEPLOYED",
    RegistryModel.State.DEPLOYING: "QUEUED",
    RegistryModel.State.DEPLOYED: "DEPLOYED",
    RegistryModel.State.FAILED: "FAILED",
}
_LOWER = {"QUEUED": "pending", "IN_PROGRESS": "pending", "PENDING": "pending"}


def status(row: ExtractorVersion, *, held: bool = False) -> str:
    """The word of the API for a version's state; `held`: a worker is at it."""
    if row.state == State.DEPLOYING:
        return "IN_PROGRESS" if held else "QUEUED"
    return _STATUS[State(row.state)]


def lower(word: str) -> str:
    """deployed, pending, failed or not_deployed."""
    return _LOWER.get(word, word.lower())


def features(row: ExtractorVersion) -> list[dict[str, Any]]:
    """What the manifest declares, known by address before the first deployment already."""
    shown = []
    for one in row.manifest.get("features", []):
        embeds = one["feature_type"] == "embedding"
        name = one["feature_name"]
        shown.append(
            {
                "feature_name": name,
                "feature_type": one["feature_type"],
                "feature_uri": f"mixpeek://{row.extractor.name}@{row.version}/{name}",
                "embedding_dim": one.get("embedding_dim"),
                "distance_metric": normal_metric(one.get("distance_metric")) if embeds else None,
            }
        )
    return shown


def feature_uri(row: ExtractorVersion) -> str:
    """The address of its first embedding, else of its first feature."""
    shown = features(row)
    embeds = [one for one in shown if one["feature_type"] == "embedding"]
    return str((embeds or shown or [{"feature_uri": ""}])[0]["feature_uri"])


def archive_url(row: ExtractorVersion | RegistryModel) -> str:
    """The archive by its content; a built-in package has none."""
    return f"sha256:{row.archive.sha256}" if row.archive is not None else ""


def in_production(row: ExtractorVersion) -> bool:
    return row.extractor.production_id == row.pk and row.state == State.READY


def plugin(row: ExtractorVersion) -> dict[str, Any]:
    return {
        "plugin_id": row.public_id,
        "name": row.extractor.name,
        "version": row.version,
        "description": row.manifest.get("description") or row.extractor.description,
        "code_hash": row.archive.sha256 if row.archive else f"builtin:{row.package}",
        "validation_status": "passed",
        "validation_errors": [],
        "security_scan_passed": True,
        "deployed": row.state == State.READY,
        "in_production": in_production(row),
        "deployment_info": {
            "status": status(row),
            "deployment_type": "batch_only",
            "device": row.runtime.get("device"),
            "warnings": row.warnings,
            "error": row.error or None,
        },
        "feature_uri": feature_uri(row),
        "features": features(row),
        "manifest": row.manifest,
        "models": models_needed(row),
        "warnings": row.warnings,
        "created_at": row.created_at,
        "updated_at": max(filter(None, (row.created_at, row.deployed_at, row.retired_at))),
        "deployed_at": row.deployed_at,
    }


def plugin_status(row: ExtractorVersion, *, held: bool, queued_at: Any) -> dict[str, Any]:
    word = status(row, held=held)
    return {
        "plugin_id": row.public_id,
        "namespace_id": row.extractor.namespace.public_id,
        "status": word,
        "name": row.extractor.name,
        "version": row.version,
        "realtime_enabled": False,
        "message": _SAID[word].format(version=row),
        "queued_at": queued_at,
        "estimated_completion_seconds": None,
        "deployed": row.state == State.READY,
        "route_prefix": None,
        "feature_uri": feature_uri(row),
        "deployed_at": row.deployed_at,
        "warnings": row.warnings,
        "error": row.error or None,
    }


_SAID = {
    "QUEUED": "{version} waits for a worker.",
    "IN_PROGRESS": "{version} is being started.",
    "DEPLOYED": "{version} is deployed.",
    "FAILED": "{version} could not be deployed; see error.",
    "NOT_DEPLOYED": "{version} is not deployed.",
}


def extractor(row: ExtractorVersion) -> dict[str, Any]:
    return {
        "feature_extractor_name": row.extractor.name,
        "version": row.version,
        "feature_extractor_id": row.public_id,
        "source": "custom" if row.archive_id else "builtin",
        "description": row.manifest.get("description") or row.extractor.description,
        "input_schema": _input_schema(row),
        "output_schema": row.manifest.get("output_schema", {}),
        "features": features(row),
        "status": status(row),
        "in_production": in_production(row),
        "class_names": row.class_names,
        "warnings": row.warnings,
        "created_at": row.created_at,
    }


def feature_extractor(row: ExtractorVersion) -> dict[str, Any]:
    """The same for clients that ask what a collection may name."""
    return {
        "feature_extractor_name": row.extractor.name,
        "version": row.version,
        "feature_extractor_id": row.public_id,
        "description": row.manifest.get("description") or row.extractor.description,
        "icon": "scan",
        "input_schema": _input_schema(row),
        "output_schema": row.manifest.get("output_schema", {}),
        "parameter_schema": PARAMETERS,
        "supported_input_types": ["image"],
        "max_inputs": {"image": 1},
        "default_parameters": row.parameters,
        # Indexes are made as they are needed: nothing has to be asked for.
        "required_vector_indexes": [],
        "required_payload_indexes": [],
        "features": features(row),
    }


PARAMETERS: dict[str, Any] = {
    "type": "object",
    "properties": {
        "threshold": {"type": "number", "minimum": 0, "maximum": 1},
        "iou": {"type": "number", "minimum": 0, "maximum": 1},
        "image_size": {"type": "integer", "minimum": 32, "maximum": 4096, "multipleOf": 32},
        "device": {"type": "string"},
    },
}


def _input_schema(row: ExtractorVersion) -> dict[str, Any]:
    names = list(row.manifest.get("input_mappings") or {"image": "image"})
    return {"type": "object", "properties": {name: {"type": "image"} for name in names}}


def model(row: RegistryModel) -> dict[str, Any]:
    word = _MODEL_STATUS[RegistryModel.State(row.state)]
    return {
        "model_id": row.public_id,
        "namespace_id": row.namespace.public_id,
        "name": row.name,
        "version": row.version,
        "description": row.description,
        "model_archive_url": archive_url(row),
        "model_format": row.model_format,
        "model_hash": row.archive.sha256,
        "size_bytes": row.archive.size,
        "source": "customer",
        "framework": row.framework or None,
        "task_type": row.task_type or None,
        "deployed": word == "DEPLOYED",
        "deployment_status": lower(word),
        "deployment_info": {"status": word, "weights": row.weights, "error": row.error or None},
        "endpoint": f"/v1/models/{row.public_id}",
        "resource_requirements": {
            "num_cpus": float(row.resources.get("num_cpus") or 1),
            "num_gpus": float(row.resources.get("num_gpus") or 0),
            "memory": int(row.resources.get("memory") or 4 * 2**30),
        },
        "created_at": row.created_at,
        "updated_at": row.updated_at,
    }
