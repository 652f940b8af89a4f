"""What the API shows of retrievers and executions, and its description."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from rest_framework import serializers

from extraction.runs.presenters import DocumentAnswer
from extraction.search.domain import Ran
from extraction.search.models import Execution, Retriever
from extraction.search.queries import present_hits
from extraction.search.stages import Stage
from mixcv.kernel.errors import InvalidInput


class StageAnswer(serializers.Serializer[Any]):
    stage_name = serializers.CharField()
    stage_type = serializers.CharField()
    stage_id = serializers.CharField()
    description = serializers.CharField(allow_null=True)
    config = serializers.DictField()
    parameters = serializers.DictField()


class RetrieverAnswer(serializers.Serializer[Any]):
    retriever_id = serializers.CharField()
    retriever_name = serializers.CharField()
    description = serializers.CharField(allow_blank=True)
    stages = StageAnswer(many=True)
    fusion = serializers.CharField()
    collection_identifiers = serializers.ListField(child=serializers.CharField())
    input_schema = serializers.DictField()
    unit = serializers.ChoiceField(choices=["document", "detection"])
    metadata = serializers.DictField()
    tags = serializers.ListField(child=serializers.CharField())
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class ChangedRetrieverAnswer(serializers.Serializer[Any]):
    retriever = RetrieverAnswer()


class ClonedRetrieverAnswer(serializers.Serializer[Any]):
    retriever = RetrieverAnswer()
    source_retriever_id = serializers.CharField()


class StageKindAnswer(serializers.Serializer[Any]):
    stage_id = serializers.CharField()
    description = serializers.CharField()
    category = serializers.CharField()
    icon = serializers.CharField()
    parameter_schema = serializers.DictField()


class StageStatisticsAnswer(serializers.Serializer[Any]):
    input_count = serializers.IntegerField()
    output_count = serializers.IntegerField()
    duration_ms = serializers.FloatField()
    efficiency = serializers.FloatField()


class StatisticsAnswer(serializers.Serializer[Any]):
    stages = serializers.DictField(child=StageStatisticsAnswer())
    total_time_ms = serializers.FloatField()
    credits_used = serializers.FloatField()


class HitsPaginationAnswer(serializers.Serializer[Any]):
    total = serializers.IntegerField()
    page = serializers.IntegerField()
    page_size = serializers.IntegerField()
    total_pages = serializers.IntegerField()
    next_page = serializers.CharField(allow_null=True)
    previous_page = serializers.CharField(allow_null=True)
    next_cursor = serializers.CharField(allow_null=True)


class HitAnswer(DocumentAnswer):
    score = serializers.FloatField()


class RanAnswer(serializers.Serializer[Any]):
    execution_id = serializers.CharField()
    retriever_id = serializers.CharField(allow_null=True)
    status = serializers.CharField()
    unit = serializers.CharField()
    documents = HitAnswer(many=True)
    results = HitAnswer(many=True)
    total_count = serializers.IntegerField()
    stage_statistics = StatisticsAnswer()
    budget = serializers.DictField()
    limits = serializers.ListField(child=serializers.DictField())
    pagination = HitsPaginationAnswer()
    warnings = serializers.ListField(child=serializers.CharField())
    degraded = serializers.ListField(child=serializers.DictField())


class KeptHitAnswer(serializers.Serializer[Any]):
    document_id = serializers.CharField()
    score = serializers.FloatField()


class ExecutionAnswer(serializers.Serializer[Any]):
    execution_id = serializers.CharField()
    retriever_id = serializers.CharField(allow_null=True)
    retriever_name = serializers.CharField(allow_null=True)
    execution_mode = serializers.CharField()
    status = serializers.CharField()
    error = serializers.CharField(allow_null=True)
    unit = serializers.CharField()
    actor = serializers.CharField()
    inputs = serializers.DictField()
    filters = serializers.JSONField()
    stage_statistics = StatisticsAnswer()
    warnings = serializers.ListField(child=serializers.CharField())
    timestamp = serializers.DateTimeField()
    created_at = serializers.DateTimeField()
    duration_ms = serializers.FloatField()
    credits_used = serializers.FloatField()
    total_processed = serializers.IntegerField()
    total_returned = serializers.IntegerField()
    stages_completed = serializers.IntegerField()
    total_stages = serializers.IntegerField()


class ExecutionDetailAnswer(ExecutionAnswer):
    collection_identifiers = serializers.ListField(child=serializers.CharField())
    stages = StageAnswer(many=True)
    documents = KeptHitAnswer(many=True)
    results = KeptHitAnswer(many=True)


class ExecutionStatusAnswer(serializers.Serializer[Any]):
    execution_id = serializers.CharField()
    retriever_id = serializers.CharField(allow_null=True)
    status = serializers.CharField()
    error = serializers.CharField(allow_null=True)
    stages_completed = serializers.IntegerField()
    total_stages = serializers.IntegerField()
    total_returned = serializers.IntegerField()
    duration_ms = serializers.FloatField()
    created_at = serializers.DateTimeField()


class ProfiledStageAnswer(StageStatisticsAnswer):
    stage_name = serializers.CharField()
    stage_id = serializers.CharField()
    share_of_time = serializers.FloatField()


class ExecutionProfileAnswer(serializers.Serializer[Any]):
    """`other_ms`: what was spent outside the stages, as on filling in the inputs and keeping the results."""

    execution_id = serializers.CharField()
    retriever_id = serializers.CharField(allow_null=True)
    status = serializers.CharField()
    total_time_ms = serializers.FloatField()
    other_ms = serializers.FloatField()
    stages = ProfiledStageAnswer(many=True)


def present_stage(raw: dict[str, Any]) -> dict[str, Any]:
    config = raw.get("config", {})
    return {
        "stage_name": raw.get("stage_name", ""),
        "stage_type": raw.get("stage_type", "filter"),
        "stage_id": config.get("stage_id", ""),
        "description": raw.get("description"),
        "config": config,
        "parameters": config.get("parameters", {}),
    }


def present_retriever(row: Retriever) -> dict[str, Any]:
    stages = [present_stage(one) for one in row.stages]
    fusion = next((one["parameters"]["fusion"] for one in stages if one["parameters"].get("fusion")), "rrf")
    return {
        "retriever_id": row.public_id,
        "retriever_name": row.name,
        "description": row.description,
        "stages": stages,
        "fusion": fusion,
        "collection_identifiers": [one.public_id for one in row.collections.all()],
        "input_schema": row.input_schema,
        "unit": row.unit,
        "metadata": row.metadata,
        "tags": row.tags,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
    }


def present_stage_kind(stage: Stage) -> dict[str, Any]:
    return {
        "stage_id": stage.id,
        "description": stage.description,
        "category": stage.category,
        "icon": stage.icon,
        "parameter_schema": stage.schema,
    }


def present_ran(ran: Ran, *, vectors: bool = False) -> dict[str, Any]:
    row = ran.execution
    documents = present_hits(row.unit, ran.hits, vectors=vectors)
    page, total = ran.offset // ran.limit + 1, row.result_count
    after = ran.next_offset
    return {
        "execution_id": row.public_id,
        "retriever_id": row.retriever.public_id if row.retriever else None,
        "status": row.status,
        "unit": row.unit,
        "documents": documents,
        "results": documents,
        "total_count": total,
        "stage_statistics": statistics(row),
        "budget": {"credits_used": 0.0, "time_ms": row.duration_ms},
        # Clients read lists of entries of their own form under these two names.
        "limits": [],
        "pagination": {
            "total": total,
            "page": page,
            "page_size": ran.limit,
            "total_pages": -(-total // ran.limit),
            "next_page": str(page + 1) if after is not None else None,
            "previous_page": str(page - 1) if page > 1 else None,
            "next_cursor": write_cursor(row, after) if after is not None else None,
        },
        "warnings": row.warnings,
        "degraded": [],
    }


def present_execution_status(row: Execution) -> dict[str, Any]:
    whole = present_execution(row)
    return {str(name): whole[str(name)] for name in ExecutionStatusAnswer().fields}


def present_execution_profile(row: Execution) -> dict[str, Any]:
    """The stages in their order, each with its part of the whole time, 0 to 1."""
    counted = statistics(row)["stages"]
    in_stages = sum(one["duration_ms"] for one in row.stages)
    return {
        "execution_id": row.public_id,
        "retriever_id": row.retriever.public_id if row.retriever else None,
        "status": row.status,
        "total_time_ms": row.duration_ms,
        "other_ms": round(max(0.0, row.duration_ms - in_stages), 3),
        "stages": [
            {
                "stage_name": one["stage_name"],
                "stage_id": one.get("stage_id", ""),
                **counted[one["stage_name"]],
                "share_of_time": one["duration_ms"] / row.duration_ms if row.duration_ms else 0.0,
            }
            for one in row.stages
        ],
    }


def statistics(row: Execution) -> dict[str, Any]:
    """By the stage's name; efficiency is the share that a stage let through."""
    return {
        "stages": {
            one["stage_name"]: {
                "input_count": one["input_count"],
                "output_count": one["output_count"],
                "duration_ms": one["duration_ms"],
                "efficiency": one["output_count"] / one["input_count"] if one["input_count"] else 0.0,
            }
            for one in row.stages
        },
        "total_time_ms": row.duration_ms,
        "credits_used": 0.0,
    }


def present_execution(row: Execution) -> dict[str, Any]:
    return {
        "execution_id": row.public_id,
        "retriever_id": row.retriever.public_id if row.retriever else None,
        "retriever_name": row.retriever.name if row.retriever else None,
        "execution_mode": row.mode,
        "status": row.status,
        "error": row.error or None,
        "unit": row.unit,
        "actor": row.actor,
        "inputs": row.inputs,
        "filters": row.filters,
        "stage_statistics": statistics(row),
        "warnings": row.warnings,
        "timestamp": row.created_at,
        "created_at": row.created_at,
        "duration_ms": row.duration_ms,
        "credits_used": 0.0,
        "total_processed": row.stages[0]["input_count"] if row.stages else 0,
        "total_returned": row.result_count,
        "stages_completed": len(row.stages),
        "total_stages": len(row.definition.get("stages", [])),
    }


def present_execution_detail(row: Execution) -> dict[str, Any]:
    kept = [{"document_id": one[0], "score": one[2]} for one in row.results]
    return {
        **present_execution(row),
        "collection_identifiers": row.definition.get("collection_identifiers", []),
        "stages": [present_stage(one) for one in row.definition.get("stages", [])],
        "documents": kept,
        "results": kept,
    }


def write_cursor(row: Execution, offset: int) -> str:
    """Where an execution's next page begins. It names the execution: later pages are of the same results."""
    return base64.urlsafe_b64encode(json.dumps([row.public_id, offset]).encode()).decode().rstrip("=")


def read_cursor(cursor: Any) -> tuple[str, int]:
    """Raises InvalidInput for what write_cursor did not write."""
    try:
        ref, offset = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError, TypeError, RecursionError):
        ref, offset = None, None
    if not isinstance(ref, str) or isinstance(offset, bool) or not isinstance(offset, int) or offset < 0:
        raise InvalidInput(
            "This cursor is none of an execution. Start without it.", field="pagination.cursor"
        )
    return ref, offset
