"""Answers that several resources share, described for the OpenAPI document."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from mixcv.kernel.models import Job


class DeletedAnswer(serializers.Serializer[Any]):
    success = serializers.BooleanField()
    message = serializers.CharField()


class BoxAnswer(serializers.Serializer[Any]):
    """x, y: the centre; w, h: width and height; in pixels of the upright image."""

    x = serializers.FloatField()
    y = serializers.FloatField()
    w = serializers.FloatField()
    h = serializers.FloatField()


class JobAnswer(serializers.Serializer[Any]):
    """How far long work is. `error`: why it failed."""

    task_id = serializers.CharField()
    state = serializers.ChoiceField(choices=Job.State.values)
    done = serializers.IntegerField()
    total = serializers.IntegerField()
    seconds_left = serializers.FloatField(allow_null=True)
    error = serializers.CharField(allow_null=True)
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)


def present_job(job: Job) -> dict[str, Any]:
    return {
        "task_id": job.public_id,
        "state": job.state,
        "done": job.done,
        "total": job.total,
        "seconds_left": job.seconds_left,
        "error": job.error or None,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
    }
