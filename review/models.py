"""The rooms' rows, gathered for Django."""

from review.datasets.models import Dataset, DatasetBox, DatasetInclude, DatasetItem, DatasetVersion
from review.queues.models import Queue, QueueItem
from review.verdicts.models import Annotation, AnnotationCount, AnnotationVersion, LabelDefinition

__all__ = [
    "Annotation",
    "AnnotationCount",
    "AnnotationVersion",
    "Dataset",
    "DatasetBox",
    "DatasetInclude",
    "DatasetItem",
    "DatasetVersion",
    "LabelDefinition",
    "Queue",
    "QueueItem",
]
