"""The API routes of review, relative to `/v1/` and `/v1/namespaces/{namespace}/`."""

from django.urls import path

from review.datasets import api as datasets
from review.quality.api import AnnotationStats
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
]
