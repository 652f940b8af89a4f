"""`/v1/buckets/{bucket}/truth`: ground truth from files, and what became of it."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from extraction.imports import domain
from extraction.imports.formats import FORMATS
from extraction.imports.presenters import FaultAnswer, ImportAnswer, ReportAnswer, fault, present
from extraction.imports.queries import faults_of, get_import, imports_of
from extraction.intake.models import Upload
from extraction.intake.presigned import LONGEST, SHORTEST, create_upload, presigned_url
from extraction.intake.queries import get_bucket
from extraction.packages.api.bodies import read_form
from mixcv.kernel.listing import ListBody, Listing, page_answer
from mixcv.kernel.operations import operation
from mixcv.kernel.serializers import StrictSerializer, or_empty
from mixcv.tenancy.api_auth import NamespacedView

FORMAT_CHOICES = ["auto", *FORMATS]
SHOWN = 100
IMPORTS = Listing(
    columns={
        "import_id": "public_id",
        "name": "name",
        "format": "format",
        "status": "job__state",
        "created_at": "created_at",
    },
    search=("name", "public_id"),
    order="-created_at",
)
FAULTS = Listing(
    columns={"file": "file", "line": "line", "message": "message", "cost": "cost", "fault_id": "id"},
    search=("file", "message"),
    order="fault_id",
)
IMPORT_EXAMPLE = {"import_id": "imp_0abc", "task_id": "task_0abc", "status": "PENDING", "format": "auto"}
EMPTY_PAGE = {"results": [], "pagination": {"page": 1}, "total_count": 0}
FAULT_PAGE = page_answer(FaultAnswer)
IMPORT_PAGE = page_answer(ImportAnswer)


class ImportForm(StrictSerializer):
    """A zip sent at once: pictures with YOLO, COCO or Pascal VOC truth."""

    file = serializers.FileField()
    format = serializers.ChoiceField(choices=FORMAT_CHOICES, required=False, default="auto")


class ImportBody(StrictSerializer):
    """A zip that was sent to a signed address."""

    upload_id = serializers.CharField(max_length=60)
    format = serializers.ChoiceField(choices=FORMAT_CHOICES, required=False, default="auto")


class TruthUploadBody(StrictSerializer):
    filename = serializers.CharField(max_length=500)
    presigned_url_expiration = serializers.IntegerField(
        required=False, default=3600, min_value=SHORTEST, max_value=LONGEST
    )


class TruthUploadAnswer(serializers.Serializer[Any]):
    upload_id = serializers.CharField()
    presigned_url = serializers.CharField()
    expires_at = serializers.DateTimeField()


class TruthUploads(NamespacedView):
    tag = "Ground truth"

    @operation(
        "create_truth_upload",
        "Ask for a signed address to PUT a zip of pictures and ground truth to; importing takes its upload_id.",
        body=TruthUploadBody,
        answer=TruthUploadAnswer,
        creates=True,
        example={"filename": "cells.zip"},
    )
    def post(self, request: Request, bucket_ref: str) -> Response:
        row = create_upload(
            namespace=self.namespace,
            kind=Upload.Kind.TRUTH,
            filename=self.data["filename"],
            content_type="application/zip",
            expires_in=self.data["presigned_url_expiration"],
            bucket=get_bucket(self.namespace, bucket_ref),
            by=self.actor,
        )
        return Response(
            {
                "upload_id": row.public_id,
                "presigned_url": presigned_url(request._request, row),
                "expires_at": row.expires_at,
            }
        )


class StartImport(NamespacedView):
    """POST takes multipart with a `file`, or JSON with an `upload_id`."""

    tag = "Ground truth"

    @operation(
        "import_truth",
        "Import pictures with YOLO, COCO or Pascal VOC truth from a zip into the bucket: sent along, or before by a "
        "signed address. Ask for the import, or its task, until it is over.",
        multipart=ImportForm,
        documented_body=ImportBody,
        answer=ImportAnswer,
        creates=True,
        example={"upload_id": "upl_0abc", "format": "auto"},
        answer_example=IMPORT_EXAMPLE,
    )
    def post(self, request: Request, bucket_ref: str) -> Response:
        bucket = get_bucket(self.namespace, bucket_ref)
        if (request.content_type or "").startswith("multipart/"):
            form = read_form(request, ImportForm)
            return Response(present(domain.import_zip(bucket=bucket, by=self.actor, **form)))
        body = ImportBody(data=or_empty(request.data))
        body.is_valid(raise_exception=True)
        asked = body.validated_data
        row = domain.import_upload(
            bucket=bucket, ref=asked["upload_id"], format=asked["format"], by=self.actor
        )
        return Response(present(row))


class Imports(NamespacedView):
    tag = "Ground truth"

    @operation(
        "list_truth_imports",
        "Imports of ground truth into the bucket, newest first.",
        listing=IMPORTS,
        answer=IMPORT_PAGE,
        answer_example=EMPTY_PAGE,
    )
    def get(self, request: Request, bucket_ref: str) -> Response:
        return Response(self.page(request, bucket_ref))

    def page(self, request: Request, bucket_ref: str) -> dict[str, Any]:
        bucket = get_bucket(self.namespace, bucket_ref)
        return IMPORTS.page(imports_of(bucket), present, request, self.data)


class ImportList(Imports):
    http_method_names = ["post", "options"]

    @operation(
        "search_truth_imports",
        "Imports of ground truth into the bucket, by filters, search and sort.",
        body=ListBody,
        body_optional=True,
        listing=IMPORTS,
        answer=IMPORT_PAGE,
        scope="read",
        example={"filters": {"field": "status", "operator": "eq", "value": "FAILED"}},
    )
    def post(self, request: Request, bucket_ref: str) -> Response:
        return Response(self.page(request, bucket_ref))


class OneImport(NamespacedView):
    tag = "Ground truth"

    @operation(
        "get_truth_import",
        f"What an import did, in numbers, with the first {SHOWN} of its faults.",
        answer=ReportAnswer,
        answer_example={**IMPORT_EXAMPLE, "status": "COMPLETED", "faults": []},
    )
    def get(self, request: Request, bucket_ref: str, import_id: str) -> Response:
        row = get_import(get_bucket(self.namespace, bucket_ref), import_id)
        return Response({**present(row), "faults": [fault(one) for one in faults_of(row)[:SHOWN]]})


class ImportFaults(NamespacedView):
    tag = "Ground truth"

    @operation(
        "list_truth_import_faults",
        "What was wrong in an import's files, by file and line, and what that cost.",
        listing=FAULTS,
        answer=FAULT_PAGE,
        answer_example=EMPTY_PAGE,
    )
    def get(self, request: Request, bucket_ref: str, import_id: str) -> Response:
        return Response(self.page(request, bucket_ref, import_id))

    def page(self, request: Request, bucket_ref: str, import_id: str) -> dict[str, Any]:
        row = get_import(get_bucket(self.namespace, bucket_ref), import_id)
        return FAULTS.page(faults_of(row), fault, request, self.data)


class ImportFaultList(ImportFaults):
    http_method_names = ["post", "options"]

    @operation(
        "search_truth_import_faults",
        "What was wrong in an import's files, by filters, search and sort.",
        body=ListBody,
        body_optional=True,
        listing=FAULTS,
        answer=FAULT_PAGE,
        scope="read",
        example={"filters": {"field": "cost", "operator": "eq", "value": "hidden"}},
    )
    def post(self, request: Request, bucket_ref: str, import_id: str) -> Response:
        return Response(self.page(request, bucket_ref, import_id))
