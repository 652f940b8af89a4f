"""`/v1/evaluations`: versions measured on a frozen holdout; `/v1/extractors/{name}/production`: which one serves."""

from __future__ import annotations

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from extraction.packages.domain import promote, roll_back
from extraction.packages.models import Extractor, ExtractorVersion
from extraction.packages.queries import get_version as get_extractor_version
from extraction.packages.queries import history_of, version_before
from mixcv.kernel.errors import NotFound
from mixcv.kernel.listing import ListBody, Listing, page_answer
from mixcv.kernel.operations import operation
from mixcv.kernel.serializers import StrictSerializer
from mixcv.tenancy.api_auth import NamespacedView
from mixcv.tenancy.models import Namespace
from review.datasets.models import DatasetVersion
from review.datasets.queries import get_dataset, get_extractor, get_version, versions_of
from review.evaluation import domain
from review.evaluation.answers import (
    EvaluationAnswer,
    EvaluationDetailAnswer,
    GateAnswerBody,
    ProductionAnswer,
    present_detail,
    present_evaluation,
    present_gate,
    present_production,
)
from review.evaluation.domain.starting import LOWEST
from review.evaluation.gate import checks
from review.evaluation.queries import evaluations_of, get_evaluation

TAG = "Evaluations"
PRODUCTION = "Production"
SHOWN_CHANGES = 100
EVALUATIONS = Listing(
    columns={
        "evaluation_id": "public_id",
        "dataset_id": "dataset_version__dataset__public_id",
        "dataset_version": "dataset_version__number",
        "feature_extractor_name": "extractor__name",
        "state": "job__state",
        "image_count": "image_count",
        "created_at": "created_at",
    },
    search=("public_id", "dataset_version__dataset__name", "extractor__name"),
    order="-created_at",
)


class EvaluationBody(StrictSerializer):
    """Without `dataset_version` the latest, without `threshold` each version's own."""

    dataset_id = serializers.CharField(max_length=200)
    dataset_version = serializers.IntegerField(required=False, allow_null=True, min_value=1)
    versions = serializers.ListField(
        child=serializers.CharField(max_length=300), min_length=1, max_length=domain.MOST_VERSIONS
    )
    threshold = serializers.FloatField(required=False, allow_null=True, min_value=LOWEST, max_value=1)


class PromoteBody(StrictSerializer):
    """`override`: an admin's key promotes a version that the gate refuses; the reason then says why."""

    version = serializers.CharField(max_length=300)
    reason = serializers.CharField(required=False, allow_blank=True, max_length=1000, default="")
    override = serializers.BooleanField(required=False, default=False)


class RollBackBody(StrictSerializer):
    reason = serializers.CharField(required=False, allow_blank=True, max_length=1000, default="")


class GateQuery(serializers.Serializer[object]):
    version = serializers.CharField(max_length=300, help_text="1.0.0, or the version's id")


class Evaluations(NamespacedView):
    tag = TAG

    @operation(
        "list_evaluations",
        "The namespace's evaluations of versions, the newest first.",
        listing=EVALUATIONS,
        answer=page_answer(EvaluationAnswer),
    )
    def get(self, request: Request) -> Response:
        return Response(EVALUATIONS.page(evaluations_of(self.namespace), present_evaluation, request))

    @operation(
        "create_evaluation",
        "Measure 1 to 6 versions on the holdout of a dataset's version.",
        body=EvaluationBody,
        answer=EvaluationAnswer,
        creates=True,
        example={"dataset_id": "ds_street", "versions": ["yolo_detector@1.0.0", "yolo_detector@2.0.0"]},
    )
    def post(self, request: Request) -> Response:
        row = domain.start_evaluation(
            namespace=self.namespace,
            dataset_version=_dataset_version(
                self.namespace, self.data["dataset_id"], self.data.get("dataset_version")
            ),
            versions=[get_extractor_version(self.namespace, ref) for ref in self.data["versions"]],
            threshold=self.data.get("threshold"),
            by=self.actor,
        )
        return Response(present_evaluation(get_evaluation(self.namespace, row.public_id)))


def _dataset_version(namespace: Namespace, ref: str, number: int | None) -> DatasetVersion:
    dataset = get_dataset(namespace, ref)
    if number is not None:
        return get_version(dataset, number)
    row = versions_of(dataset).order_by("-number").first()
    if row is None:
        raise NotFound(f"{dataset.name} has no version yet. Build one first.", field="dataset_id")
    return row


class EvaluationList(NamespacedView):
    tag = TAG

    @operation(
        "search_evaluations",
        "The namespace's evaluations, filtered and sorted.",
        body=ListBody,
        body_optional=True,
        answer=page_answer(EvaluationAnswer),
        scope="read",
        example={"search": "street"},
    )
    def post(self, request: Request) -> Response:
        rows = evaluations_of(self.namespace)
        return Response(EVALUATIONS.page(rows, present_evaluation, request, self.data))


class OneEvaluation(NamespacedView):
    tag = TAG

    @operation(
        "get_evaluation",
        "One evaluation, with each version's metrics and the comparisons once it is done.",
        answer=EvaluationDetailAnswer,
    )
    def get(self, request: Request, evaluation_id: str) -> Response:
        return Response(present_detail(get_evaluation(self.namespace, evaluation_id)))


class EvaluationCancel(NamespacedView):
    tag = TAG

    @operation(
        "cancel_evaluation",
        "Call an evaluation off; a worker that has it stops before its next images.",
        answer=EvaluationAnswer,
    )
    def post(self, request: Request, evaluation_id: str) -> Response:
        row = get_evaluation(self.namespace, evaluation_id)
        domain.cancel_evaluation(evaluation=row, by=self.actor)
        return Response(present_evaluation(get_evaluation(self.namespace, row.public_id)))


class Production(NamespacedView):
    tag = PRODUCTION

    @operation(
        "get_production",
        "Which version of an extractor is in production, and what was before.",
        answer=ProductionAnswer,
    )
    def get(self, request: Request, extractor_name: str) -> Response:
        return Response(_production(get_extractor(self.namespace, extractor_name)))

    @operation(
        "promote_version",
        "Put a version into production. Refused (409) where its gate is closed, unless an admin overrides it.",
        body=PromoteBody,
        answer=ProductionAnswer,
        example={"version": "2.0.0", "reason": "better on the holdout"},
    )
    def post(self, request: Request, extractor_name: str) -> Response:
        row = get_extractor(self.namespace, extractor_name)
        promote(
            version=_version_of(row, self.data["version"]),
            by=self.actor,
            reason=self.data["reason"],
            override=self.data["override"],
        )
        return Response(_production(row))


class ProductionRollback(NamespacedView):
    tag = PRODUCTION

    @operation(
        "roll_back_production",
        "Put the version that was in production before there again.",
        body=RollBackBody,
        body_optional=True,
        answer=ProductionAnswer,
        example={"reason": "misses buses at night"},
    )
    def post(self, request: Request, extractor_name: str) -> Response:
        row = get_extractor(self.namespace, extractor_name)
        roll_back(extractor=row, by=self.actor, reason=self.data["reason"])
        return Response(_production(row))


class ProductionGate(NamespacedView):
    tag = PRODUCTION

    @operation(
        "get_gate",
        "Whether a version may go into production, check by check.",
        query=GateQuery,
        answer=GateAnswerBody,
    )
    def get(self, request: Request, extractor_name: str) -> Response:
        row = get_extractor(self.namespace, extractor_name)
        return Response(present_gate(checks(_version_of(row, self.query["version"]))))


def _version_of(extractor: Extractor, ref: str) -> ExtractorVersion:
    """By number, id or `name@number`. Raises NotFound with the numbers that there are."""
    number = ref.removeprefix(f"{extractor.name}@").removeprefix("v")
    rows = ExtractorVersion.objects.filter(extractor=extractor).select_related("extractor__namespace")
    row = rows.filter(version=number).first() or rows.filter(public_id=ref).first()
    if row is None:
        numbers = ", ".join(rows.order_by("pk").values_list("version", flat=True)[:20])
        raise NotFound(
            f"{extractor.name} has no version {ref[:100]!r}. There are: {numbers}.", field="version"
        )
    return row


def _production(extractor: Extractor) -> dict[str, object]:
    row = Extractor.objects.select_related("production").get(pk=extractor.pk)
    before = version_before(row)
    history = list(history_of(row)[:SHOWN_CHANGES])
    return present_production(row, history, before.version if before else None)
