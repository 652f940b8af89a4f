"""How imports look in the API."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from extraction.imports.domain.counting import KEYS, Counts
from extraction.imports.models import ImportFault, TruthImport
from mixcv.kernel.models import Job


class CountsAnswer(serializers.Serializer[Any]):
    """Pictures, boxes, images by what is known of them, faults by what they cost."""

    def get_fields(self) -> dict[str, Any]:
        return {key: serializers.IntegerField() for key in KEYS}


class FaultAnswer(serializers.Serializer[Any]):
    file = serializers.CharField()
    line = serializers.IntegerField(allow_null=True)
    message = serializers.CharField()
    cost = serializers.ChoiceField(choices=ImportFault.Cost.values)
    image_id = serializers.IntegerField(allow_null=True)


class ImportAnswer(serializers.Serializer[Any]):
    import_id = serializers.CharField()
    task_id = serializers.CharField()
    bucket_id = serializers.CharField()
    name = serializers.CharField()
    format = serializers.CharField()
    status = serializers.ChoiceField(choices=Job.State.values)
    done = serializers.IntegerField()
    total = serializers.IntegerField()
    seconds_left = serializers.FloatField(allow_null=True)
    error = serializers.CharField(allow_null=True)
    counts = CountsAnswer()
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)


class ReportAnswer(ImportAnswer):
    """With the first of the faults; the others have a list of their own."""

    faults = FaultAnswer(many=True)


def present(row: TruthImport) -> dict[str, Any]:
    return {
        "import_id": row.public_id,
        "task_id": row.job.public_id,
        "bucket_id": row.bucket.public_id,
        "name": row.name,
        "format": row.format,
        "status": row.job.state,
        "done": row.job.done,
        "total": row.job.total,
        "seconds_left": row.job.seconds_left,
        "error": row.job.error or None,
        "counts": dict(Counts.of(row)),
        "created_at": row.created_at,
        "finished_at": row.job.finished_at,
    }


def fault(row: ImportFault) -> dict[str, Any]:
    return {
        "file": row.file,
        "line": row.line or None,
        "message": row.message,
        "cost": row.cost,
        "image_id": row.image_id,
    }
