"""The API routes of review, relative to `/v1/` and `/v1/namespaces/{namespace}/`."""

from django.urls import path

from review.datasets import api as datasets
from review.evaluation import api as evaluation
from review.quality.api import AnnotationStats
from review.training import api as training
from review.verdicts.api import annotations, bulk, labels, whole

urlpatterns = [
    path("annotations", annotations.Annotations.as_view()),
    path("annotations/list", annotations.AnnotationList.as_view()),
    path("annotations/bulk", bulk.Bulk.as_view()),
    path("annotations/complete", whole.Complete.as_view()),
    path("annotations/stats", AnnotationStats.as_view()),
    path("annotations/labels", labels.Labels.as_view()),
    path("annotations/labels/list", labels.LabelList.as_view()),
    path("annotations/labels/<str:label>", labels.OneLabel.as_view()),
    path("annotations/<str:annotation_id>", annotations.OneAnnotation.as_view()),
    path("annotations/<str:annotation_id>/versions", annotations.AnnotationVersions.as_view()),
    path("annotations/<str:annotation_id>/versions/<int:version>", annotations.OneVersion.as_view()),
    path("datasets", datasets.Datasets.as_view()),
    path("datasets/list", datasets.DatasetList.as_view()),
    path("datasets/<str:dataset_id>", datasets.OneDataset.as_view()),
    path("datasets/<str:dataset_id>/plan", datasets.DatasetPlan.as_view()),
    path("datasets/<str:dataset_id>/includes", datasets.DatasetIncludes.as_view()),
    path("datasets/<str:dataset_id>/includes/remove", datasets.DatasetExcludes.as_view()),
    path("datasets/<str:dataset_id>/versions", datasets.DatasetVersions.as_view()),
    path("datasets/<str:dataset_id>/versions/list", datasets.DatasetVersionList.as_view()),
    path("datasets/<str:dataset_id>/versions/<int:version>", datasets.OneDatasetVersion.as_view()),
    path("datasets/<str:dataset_id>/versions/<int:version>/export", datasets.DatasetExport.as_view()),
    path("training-runs", training.TrainingRuns.as_view()),
    path("training-runs/list", training.TrainingRunList.as_view()),
    path("training-runs/<str:run_id>", training.OneTrainingRun.as_view()),
    path("training-runs/<str:run_id>/cancel", training.TrainingRunCancel.as_view()),
    path("training-runs/<str:run_id>/collection", training.TrainingRunCollection.as_view()),
    path("evaluations", evaluation.Evaluations.as_view()),
    path("evaluations/list", evaluation.EvaluationList.as_view()),
    path("evaluations/<str:evaluation_id>", evaluation.OneEvaluation.as_view()),
    path("evaluations/<str:evaluation_id>/cancel", evaluation.EvaluationCancel.as_view()),
    path("extractors/<str:extractor_name>/production", evaluation.Production.as_view()),
    path("extractors/<str:extractor_name>/production/rollback", evaluation.ProductionRollback.as_view()),
    path("extractors/<str:extractor_name>/gate", evaluation.ProductionGate.as_view()),
]
