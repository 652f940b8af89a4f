"""`/v1/training-runs`: fine-tune a version on a dataset version, watch it, and put to work what comes of it."""

from __future__ import annotations

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from mixcv.kernel.listing import ListBody, Listing, page_answer
from mixcv.kernel.operations import operation
from mixcv.kernel.serializers import StrictSerializer
from mixcv.tenancy.api_auth import NamespacedView
from review.datasets.queries import get_dataset
from review.training import domain
from review.training.presenters import (
    TrainingCollectionAnswer,
    TrainingReportAnswer,
    TrainingRunAnswer,
    present_report,
    present_run,
)
from review.training.queries import chosen_base, chosen_dataset_version, get_run, runs_of
from review.training.settings import read_settings

TAG = "Training"
RUNS = Listing(
    columns={
        "run_id": "public_id",
        "state": "job__state",
        "phase": "phase",
        "feature_extractor_name": "extractor__name",
        "dataset_id": "dataset_version__dataset__public_id",
        "dataset_version": "dataset_version__number",
        "base_version_id": "base_version__public_id",
        "extractor_version_id": "produced_version__public_id",
        "created_at": "created_at",
    },
    search=("public_id", "extractor__name", "dataset_version__dataset__name"),
    order="-created_at",
)


class TrainingSettingsBody(StrictSerializer):
    """Of what is left out the usual holds; image_size is then the base version's own. batch -1: CUDA chooses."""

    epochs = serializers.IntegerField(required=False)
    image_size = serializers.IntegerField(required=False, allow_null=True)
    batch = serializers.IntegerField(required=False)
    device = serializers.CharField(required=False, max_length=20)
    patience = serializers.IntegerField(required=False)
    freeze = serializers.IntegerField(required=False)
    seed = serializers.IntegerField(required=False)
    augmentation = serializers.CharField(required=False, max_length=20)


class TrainingBody(StrictSerializer):
    """`dataset_version`: a number, the latest where it is left out. `base_version`: an id or name@version, the version
    in production where it is left out. `base_weights`: where the base has no weights of its own, a file of the weights
    folder or a deployed model."""

    dataset_id = serializers.CharField(max_length=200)
    dataset_version = serializers.IntegerField(required=False, allow_null=True, min_value=1)
    base_version = serializers.CharField(required=False, max_length=200, allow_blank=True)
    base_weights = serializers.CharField(required=False, max_length=200, allow_blank=True)
    settings = TrainingSettingsBody(required=False)


class CollectionOfRunBody(StrictSerializer):
    collection_name = serializers.CharField(required=False, max_length=100, allow_blank=True)


class TrainingRuns(NamespacedView):
    tag = TAG

    @operation(
        "list_training_runs",
        "The namespace's training runs, newest first.",
        listing=RUNS,
        answer=page_answer(TrainingRunAnswer),
    )
    def get(self, request: Request) -> Response:
        return Response(RUNS.page(runs_of(self.namespace), present_run, request))

    @operation(
        "create_training_run",
        "Fine-tune a version of an extractor on a dataset version. It ends as a registered model and the extractor's "
        "next version. Ask for the run, or its task, until it is over.",
        body=TrainingBody,
        answer=TrainingRunAnswer,
        creates=True,
        example={
            "dataset_id": "ds_street",
            "base_version": "yolo_detector@1.0.0",
            "settings": {"epochs": 40, "image_size": 640, "augmentation": "normal"},
        },
    )
    def post(self, request: Request) -> Response:
        dataset = get_dataset(self.namespace, self.data["dataset_id"])
        run = domain.start_run(
            namespace=self.namespace,
            dataset_version=chosen_dataset_version(dataset, self.data.get("dataset_version")),
            base_version=chosen_base(self.namespace, dataset, self.data.get("base_version", "")),
            base_weights=self.data.get("base_weights", ""),
            settings=read_settings(self.data.get("settings") or {}),
            by=self.actor,
        )
        return Response(present_run(get_run(self.namespace, run.public_id)))


class TrainingRunList(NamespacedView):
    tag = TAG

    @operation(
        "search_training_runs",
        "The namespace's training runs, filtered and sorted.",
        body=ListBody,
        body_optional=True,
        answer=page_answer(TrainingRunAnswer),
        scope="read",
        example={"filters": {"field": "state", "operator": "eq", "value": "COMPLETED"}},
    )
    def post(self, request: Request) -> Response:
        return Response(RUNS.page(runs_of(self.namespace), present_run, request, self.data))


class OneTrainingRun(NamespacedView):
    tag = TAG

    @operation(
        "get_training_run", "One training run with what each epoch measured.", answer=TrainingReportAnswer
    )
    def get(self, request: Request, run_id: str) -> Response:
        return Response(present_report(get_run(self.namespace, run_id)))


class TrainingRunCancel(NamespacedView):
    tag = TAG

    @operation(
        "cancel_training_run",
        "Stop a run within an epoch. Once it is over, nothing happens.",
        answer=TrainingRunAnswer,
    )
    def post(self, request: Request, run_id: str) -> Response:
        domain.cancel_run(run=get_run(self.namespace, run_id), by=self.actor)
        return Response(present_run(get_run(self.namespace, run_id)))


class TrainingRunCollection(NamespacedView):
    tag = TAG

    @operation(
        "create_training_run_collection",
        "Detect with the version that a run made, over the buckets of its base version's collections.",
        body=CollectionOfRunBody,
        body_optional=True,
        answer=TrainingCollectionAnswer,
        creates=True,
        example={"collection_name": "Street 2.0.0"},
    )
    def post(self, request: Request, run_id: str) -> Response:
        run = get_run(self.namespace, run_id)
        name = self.data.get("collection_name", "")
        collection, batches = domain.collect_with(run=run, name=name, by=self.actor)
        return Response(
            {
                "collection_id": collection.public_id,
                "collection_name": collection.name,
                "batch_ids": [batch.public_id for batch in batches],
            }
        )
