"""`/v1/buckets/{bucket}/batches` and `/v1/batches`."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from extraction.intake.api.objects import OBJECTS
from extraction.intake.models import Object
from extraction.intake.queries import get_bucket
from extraction.intake.schema import check_json
from extraction.runs import domain
from extraction.runs.models import Batch
from extraction.runs.presenters import (
    BatchAnswer,
    FailedItemAnswer,
    SubmittedAnswer,
    present_batch,
    present_failed,
    present_submitted,
)
from extraction.runs.queries import audit_of, batches_of, failed_items, failed_number
from mixcv.kernel.answers import DeletedAnswer
from mixcv.kernel.errors import NotFound
from mixcv.kernel.filters import tell_faults
from mixcv.kernel.listing import ListBody, Listing, page_answer
from mixcv.kernel.models import Event
from mixcv.kernel.operations import operation
from mixcv.kernel.serializers import StrictSerializer
from mixcv.tenancy.api_auth import NamespacedView
from mixcv.tenancy.models import Namespace

BATCHES = Listing(
    columns={
        "batch_id": "public_id",
        "batch_name": "name",
        "status": "state",
        "automatic": "automatic",
        "item_count": "item_count",
        "failed_count": "failed_count",
        "created_at": "created_at",
        "finished_at": "finished_at",
    },
    free={"metadata": "metadata"},
    words={"status": {"PENDING": "OPEN"}},
    search=("name", "public_id"),
    order="-created_at",
)
BATCH_PAGE = page_answer(BatchAnswer)
EXAMPLE = {
    "batch_name": "yolo-run",
    "object_ids": ["obj_0abc"],
    "collection_ids": ["col_detected_objects"],
    "dedup_strategy": "skip",
}
ANSWER_EXAMPLE = {"batch_id": "btch_0abc", "bucket_id": "bkt_security_footage", "status": "DRAFT"}


class BatchBody(StrictSerializer):
    batch_name = serializers.CharField(required=False, allow_blank=True, allow_null=True, max_length=200)
    object_ids = serializers.ListField(
        child=serializers.CharField(), required=False, allow_null=True, max_length=100_000
    )
    filters = serializers.DictField(required=False, allow_null=True)
    limit = serializers.IntegerField(required=False, allow_null=True, min_value=1, max_value=1_000_000)
    collection_ids = serializers.ListField(
        child=serializers.CharField(), required=False, allow_null=True, max_length=100
    )
    dedup_strategy = serializers.ChoiceField(choices=Batch.Dedup.values, required=False, default="skip")
    metadata = serializers.DictField(required=False, allow_null=True)
    auto_submit = serializers.BooleanField(required=False, default=False)
    trigger_processing = serializers.BooleanField(required=False, default=False)


class BatchQuery(serializers.Serializer[Any]):
    auto_submit = serializers.BooleanField(required=False, default=False)
    trigger_processing = serializers.BooleanField(required=False, default=False)


class SubmitBody(StrictSerializer):
    collection_ids = serializers.ListField(
        child=serializers.CharField(), required=False, allow_null=True, max_length=100
    )
    webhook_url = serializers.CharField(required=False, allow_null=True, max_length=2000)
    tolerated = frozenset({"include_processing_history"})


class RetryBody(StrictSerializer):
    retry_mode = serializers.ChoiceField(choices=["transient_only", "all"], required=False, default="all")
    tolerated = frozenset({"tier_nums", "max_retry_count"})


class BatchListBody(ListBody):
    status = serializers.CharField(required=False, allow_null=True, max_length=40)
    collection_id = serializers.CharField(required=False, allow_null=True, max_length=120)
    bucket_id = serializers.CharField(required=False, allow_null=True, max_length=120)
    tolerated = frozenset({"namespace_id"})


class FailedQuery(serializers.Serializer[Any]):
    limit = serializers.IntegerField(required=False, default=100, min_value=1, max_value=1000)
    offset = serializers.IntegerField(required=False, default=0, min_value=0, max_value=1_000_000)
    collection_id = serializers.CharField(required=False)


class FailedAnswer(serializers.Serializer[Any]):
    batch_id = serializers.CharField()
    results = FailedItemAnswer(many=True)
    total = serializers.IntegerField()


class RetriedAnswer(BatchAnswer):
    retried = serializers.IntegerField()


class AuditAnswer(serializers.Serializer[Any]):
    batch_id = serializers.CharField()
    status = serializers.CharField()
    collections = serializers.ListField(child=serializers.DictField())
    events = serializers.ListField(child=serializers.DictField())


def get_batch(namespace: Namespace, ref: str, bucket_ref: str | None) -> Batch:
    rows = batches_of(namespace).filter(public_id=ref)
    found = (rows.filter(bucket=get_bucket(namespace, bucket_ref)) if bucket_ref else rows).first()
    if found is None:
        raise NotFound(f"There is no batch {ref[:100]!r} here.", field="batch_id")
    return found


class BatchPages(NamespacedView):
    tag = "Batches"

    def page(self, request: Request, bucket_ref: str | None) -> dict[str, Any]:
        rows = batches_of(self.namespace)
        wanted = self.data.get("bucket_id")
        for ref in [ref for ref in (bucket_ref, wanted) if ref]:
            rows = rows.filter(bucket=get_bucket(self.namespace, ref))
        if ref := self.data.get("collection_id"):
            rows = rows.filter(collections=domain.get_collection(self.namespace, ref))
        if status := self.data.get("status"):
            rows = rows.filter(state="OPEN" if status == "PENDING" else status)
        return BATCHES.page(rows, present_batch, request, self.data)


class BatchesView(BatchPages):
    @operation(
        "list_batches",
        "A bucket's batches, newest first.",
        listing=BATCHES,
        answer=BATCH_PAGE,
        answer_example={"results": [ANSWER_EXAMPLE], "pagination": {"page": 1}, "total_count": 1},
    )
    def get(self, request: Request, bucket_ref: str) -> Response:
        return Response(self.page(request, bucket_ref))

    @operation(
        "create_batch",
        "Make a draft of a bucket's objects (all, some by id, or by filters) for collections.",
        body=BatchBody,
        body_optional=True,
        query=BatchQuery,
        answer=BatchAnswer,
        creates=True,
        example=EXAMPLE,
        answer_example=ANSWER_EXAMPLE,
    )
    def post(self, request: Request, bucket_ref: str) -> Response:
        bucket = get_bucket(self.namespace, bucket_ref)
        data = self.data
        check_json(data.get("metadata") or {}, field="metadata")
        collections = [domain.get_collection(self.namespace, ref) for ref in data.get("collection_ids") or []]
        objects = None
        if data.get("filters") or data.get("limit"):
            with tell_faults():
                rows = OBJECTS.narrowed(Object.objects.filter(bucket=bucket), data)
                keys = list(rows.order_by("pk").values_list("pk", flat=True)[: data.get("limit") or None])
            objects = Object.objects.filter(pk__in=keys).order_by("pk")
        batch = domain.create_batch(
            bucket=bucket,
            collections=collections or list(bucket.collections.all()),
            object_ids=data.get("object_ids"),
            objects=objects,
            name=data.get("batch_name") or "",
            dedup=data["dedup_strategy"],
            metadata=data.get("metadata") or {},
            by=self.actor,
        )
        if any(where[word] for where in (data, self.query) for word in ("auto_submit", "trigger_processing")):
            batch = domain.submit_batch(batch=batch, by=self.actor)
        return Response(present_batch(batches_of(self.namespace).get(pk=batch.pk)))


class BatchListView(BatchPages):
    @operation(
        "search_batches",
        "A bucket's batches, by status, filters, search and sort.",
        body=BatchListBody,
        body_optional=True,
        listing=BATCHES,
        answer=BATCH_PAGE,
        scope="read",
        example={"status": "PROCESSING"},
    )
    def post(self, request: Request, bucket_ref: str) -> Response:
        return Response(self.page(request, bucket_ref))


class AllBatchesView(BatchPages):
    @operation(
        "list_all_batches",
        "The namespace's batches, newest first.",
        listing=BATCHES,
        answer=BATCH_PAGE,
        answer_example={"results": [ANSWER_EXAMPLE], "pagination": {"page": 1}, "total_count": 1},
    )
    def get(self, request: Request) -> Response:
        return Response(self.page(request, None))


class AllBatchListView(BatchPages):
    @operation(
        "search_all_batches",
        "The namespace's batches, by status, filters, search and sort.",
        body=BatchListBody,
        body_optional=True,
        listing=BATCHES,
        answer=BATCH_PAGE,
        scope="read",
        example={"status": "PROCESSING"},
    )
    def post(self, request: Request) -> Response:
        return Response(self.page(request, None))


class BucketBatchView(NamespacedView):
    """A batch under its bucket."""

    tag = "Batches"

    @operation("get_batch", "A batch of a bucket.", answer=BatchAnswer, answer_example=ANSWER_EXAMPLE)
    def get(self, request: Request, bucket_ref: str, batch_ref: str) -> Response:
        return Response(present_batch(get_batch(self.namespace, batch_ref, bucket_ref)))

    @operation(
        "delete_batch",
        "Delete a batch that is not under way; what it detected stays.",
        answer=DeletedAnswer,
        answer_example={"success": True, "message": "btch_0abc is deleted."},
    )
    def delete(self, request: Request, bucket_ref: str, batch_ref: str) -> Response:
        batch = get_batch(self.namespace, batch_ref, bucket_ref)
        domain.delete_batch(batch=batch, by=self.actor)
        return Response({"success": True, "message": f"{batch.public_id} is deleted."})


class BatchView(NamespacedView):
    """A batch by its id alone."""

    tag = "Batches"

    @operation("find_batch", "A batch by its id alone.", answer=BatchAnswer, answer_example=ANSWER_EXAMPLE)
    def get(self, request: Request, batch_ref: str) -> Response:
        return Response(present_batch(get_batch(self.namespace, batch_ref, None)))


class SubmitView(NamespacedView):
    tag = "Batches"

    @operation(
        "submit_batch",
        "Hand a draft to the workers. Submitted again, it answers the same task and nothing begins anew.",
        body=SubmitBody,
        body_optional=True,
        answer=SubmittedAnswer,
        example={"collection_ids": ["col_detected_objects"]},
        answer_example=ANSWER_EXAMPLE
        | {"status": "PROCESSING", "task_id": "task_0abc", "task_type": "api_buckets_batches_process"},
    )
    def post(self, request: Request, bucket_ref: str, batch_ref: str) -> Response:
        batch = get_batch(self.namespace, batch_ref, bucket_ref)
        if batch.state in {Batch.State.DRAFT, Batch.State.OPEN}:
            refs = self.data.get("collection_ids") or []
            domain.submit_batch(
                batch=batch,
                collections=[domain.get_collection(self.namespace, ref) for ref in refs],
                webhook_url=self.data.get("webhook_url") or "",
                by=self.actor,
            )
        return Response(present_submitted(get_batch(self.namespace, batch_ref, bucket_ref)))


class CancelView(NamespacedView):
    tag = "Batches"

    @operation(
        "cancel_batch",
        "Stop a batch: what waits is not begun; what is done stays.",
        answer=SubmittedAnswer,
        answer_example=ANSWER_EXAMPLE | {"status": "CANCELED"},
    )
    def post(self, request: Request, bucket_ref: str, batch_ref: str) -> Response:
        return self.cancel(batch_ref, bucket_ref)

    def cancel(self, batch_ref: str, bucket_ref: str | None) -> Response:
        batch = get_batch(self.namespace, batch_ref, bucket_ref)
        domain.cancel_batch(batch=batch, by=self.actor)
        return Response(present_submitted(get_batch(self.namespace, batch_ref, bucket_ref)))


class CancelByIdView(CancelView):
    @operation(
        "cancel_batch_by_id",
        "Stop a batch by its id alone.",
        answer=SubmittedAnswer,
        answer_example=ANSWER_EXAMPLE | {"status": "CANCELED"},
    )
    def post(self, request: Request, batch_ref: str) -> Response:  # type: ignore[override]
        return self.cancel(batch_ref, None)


class RetryView(NamespacedView):
    tag = "Batches"

    @operation(
        "retry_batch",
        "Put a batch's failed items back to work; with `transient_only` those that trying again can help.",
        body=RetryBody,
        body_optional=True,
        answer=RetriedAnswer,
        example={"retry_mode": "all"},
    )
    def post(self, request: Request, bucket_ref: str, batch_ref: str) -> Response:
        batch = get_batch(self.namespace, batch_ref, bucket_ref)
        keys = None
        if self.data["retry_mode"] == "transient_only":
            failed = failed_items(batch, limit=100_000)
            keys = [item.pk for item in failed if present_failed(item)["error_type"] != "permanent"]
        number = domain.retry_failed(batch=batch, item_keys=keys, by=self.actor)
        row = get_batch(self.namespace, batch_ref, bucket_ref)
        return Response(present_batch(row) | {"retried": number})


class FailedView(NamespacedView):
    tag = "Batches"

    @operation(
        "list_failed_documents",
        "A batch's failed items, with the reason of each.",
        query=FailedQuery,
        answer=FailedAnswer,
        answer_example={"batch_id": "btch_0abc", "results": [], "total": 0},
    )
    def get(self, request: Request, bucket_ref: str, batch_ref: str) -> Response:
        batch = get_batch(self.namespace, batch_ref, bucket_ref)
        asked = self.query
        ref = asked.get("collection_id")
        collection = domain.get_collection(self.namespace, ref) if ref else None
        rows = failed_items(batch, limit=asked["limit"], offset=asked["offset"], collection=collection)
        return Response(
            {
                "batch_id": batch.public_id,
                "results": [present_failed(item) for item in rows],
                "total": failed_number(batch, collection=collection),
            }
        )


class AuditView(NamespacedView):
    tag = "Batches"

    @operation(
        "audit_batch",
        "Where a batch's items stand in each collection, and what happened to it when.",
        answer=AuditAnswer,
        answer_example={"batch_id": "btch_0abc", "status": "COMPLETED", "collections": [], "events": []},
    )
    def get(self, request: Request, bucket_ref: str, batch_ref: str) -> Response:
        batch = get_batch(self.namespace, batch_ref, bucket_ref)
        events = Event.objects.filter(namespace_id=self.namespace.pk, subject=batch.public_id)
        return Response(
            {
                "batch_id": batch.public_id,
                "status": present_batch(batch)["status"],
                "collections": audit_of(batch),
                "events": [
                    {
                        "event_type": event.type,
                        "occurred_at": event.occurred_at,
                        "actor": event.actor,
                        "payload": event.payload,
                    }
                    for event in events.order_by("subject_seq")[:1000]
                ],
            }
        )
