"""`/v1/tasks`: long work of a namespace, its state, and stopping it."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from mixcv.kernel.answers import DeletedAnswer
from mixcv.kernel.errors import Conflict, NotFound
from mixcv.kernel.jobs import job_kinds, kind_of
from mixcv.kernel.listing import ListBody, Listing, page_answer
from mixcv.kernel.models import Job
from mixcv.kernel.operations import operation
from mixcv.tenancy.api_auth import NamespacedView
from mixcv.tenancy.domain import cancel_job

STATUS = {Job.State.RUNNING: "IN_PROGRESS"}
STATE = {"PROCESSING": "RUNNING", "IN_PROGRESS": "RUNNING", "QUEUED": "PENDING"}

TASKS = Listing(
    columns={
        "task_id": "public_id",
        "kind": "kind",
        "status": "state",
        "subject": "subject",
        "created_at": "created_at",
        "finished_at": "finished_at",
    },
    words={"status": STATE},
    search=("public_id", "kind", "subject"),
    order="-created_at",
)


class TaskAnswer(serializers.Serializer[Any]):
    task_id = serializers.CharField()
    task_type = serializers.CharField()
    status = serializers.CharField()
    subject = serializers.CharField()
    done = serializers.IntegerField()
    total = serializers.IntegerField()
    rate = serializers.FloatField()
    seconds_left = serializers.FloatField(allow_null=True)
    error = serializers.CharField(allow_null=True)
    inputs = serializers.ListField(child=serializers.CharField())
    outputs = serializers.ListField(child=serializers.CharField())
    additional_data = serializers.DictField()
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)


class TaskListBody(ListBody):
    status = serializers.CharField(required=False, allow_null=True, max_length=40)
    task_type = serializers.CharField(required=False, allow_null=True, max_length=60)


def present(row: Job) -> dict[str, Any]:
    return {
        "task_id": row.public_id,
        "task_type": kind_of(row).task_type,
        "status": STATUS.get(Job.State(row.state), row.state),
        "subject": row.subject,
        "done": row.done,
        "total": row.total,
        "rate": row.rate,
        "seconds_left": row.seconds_left,
        "error": row.error or None,
        "inputs": [],
        "outputs": [],
        "additional_data": {"kind": row.kind, "subject": row.subject},
        "created_at": row.created_at,
        "started_at": row.started_at,
        "finished_at": row.finished_at,
    }


class Tasks(NamespacedView):
    tag = "Tasks"

    @operation(
        "list_tasks",
        "Long work of the namespace, newest first.",
        listing=TASKS,
        answer=page_answer(TaskAnswer),
        answer_example={"results": [], "pagination": {"page": 1, "page_size": 100}, "total_count": 0},
    )
    def get(self, request: Request) -> Response:
        return Response(self._page(request))

    def _page(self, request: Request) -> dict[str, Any]:
        rows = Job.objects.filter(namespace_id=self.namespace.pk)
        if status := self.data.get("status"):
            rows = rows.filter(state=STATE.get(status.upper(), status.upper()))
        if wanted := self.data.get("task_type"):
            rows = rows.filter(kind__in=[kind.name for kind in job_kinds if kind.task_type == wanted])
        return TASKS.page(rows, present, request, self.data)


class TaskList(Tasks):
    http_method_names = ["post", "options"]

    @operation(
        "search_tasks",
        "Long work of the namespace, by status, type, filters, search and sort.",
        body=TaskListBody,
        body_optional=True,
        listing=TASKS,
        answer=page_answer(TaskAnswer),
        scope="read",
        example={"status": "IN_PROGRESS", "limit": 20},
    )
    def post(self, request: Request) -> Response:
        return Response(self._page(request))


class Task(NamespacedView):
    tag = "Tasks"

    def _row(self, ref: str) -> Job:
        row = Job.objects.filter(namespace_id=self.namespace.pk, public_id=ref).first()
        if row is None:
            raise NotFound(f"There is no task {ref[:100]!r} here.", field="task_id")
        return row

    @operation(
        "get_task",
        "A task's state, how far it is and what it failed on.",
        answer=TaskAnswer,
        answer_example={
            "task_id": "task_0abc",
            "task_type": "api_buckets_batches_process",
            "status": "COMPLETED",
        },
    )
    def get(self, request: Request, task_id: str) -> Response:
        return Response(present(self._row(task_id)))

    @operation(
        "cancel_task",
        "Stop a task; what it has done stays.",
        answer=DeletedAnswer,
        answer_example={"success": True, "message": "task_0abc is being stopped."},
    )
    def delete(self, request: Request, task_id: str) -> Response:
        row = self._row(task_id)
        if row.is_over:
            raise Conflict(f"The task is {row.state} already; there is nothing left to stop.")
        cancel_job(job=row, by=self.actor)
        return Response({"success": True, "message": f"{row.public_id} is being stopped."})


class CancelTask(Task):
    http_method_names = ["post", "options"]

    @operation(
        "stop_task",
        "Stop a task; what it has done stays. The same as deleting it.",
        answer=TaskAnswer,
        answer_example={
            "task_id": "task_0abc",
            "task_type": "api_buckets_batches_process",
            "status": "CANCELED",
        },
    )
    def post(self, request: Request, task_id: str) -> Response:
        self.delete(request, task_id)
        return Response(present(self._row(task_id)))
