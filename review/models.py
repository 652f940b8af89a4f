"""The rooms' rows, gathered for Django."""

from review.datasets.models import Dataset, DatasetBox, DatasetItem, DatasetVersion
from review.queues.models import Queue, QueueItem
from review.verdicts.models import Annotation, AnnotationVersion

__all__ = [
    "Annotation",
    "AnnotationVersion",
    "Dataset",
    "DatasetBox",
    "DatasetItem",
    "DatasetVersion",
    "Queue",
    "QueueItem",
]
