"""The rooms' rows, gathered for Django."""

from review.datasets.models import Dataset, DatasetBox, DatasetInclude, DatasetItem, DatasetVersion
from review.evaluation.models import (
    Comparison,
    EvaluatedVersion,
    Evaluation,
    ImagePrediction,
    PromotionPolicy,
)
from review.queues.models import Queue, QueueItem
from review.training.models import TrainingEpoch, TrainingRun
from review.verdicts.models import Annotation, AnnotationCount, AnnotationVersion, LabelDefinition

__all__ = [
    "Annotation",
    "AnnotationCount",
    "AnnotationVersion",
    "Comparison",
    "Dataset",
    "DatasetBox",
    "DatasetInclude",
    "DatasetItem",
    "DatasetVersion",
    "EvaluatedVersion",
    "Evaluation",
    "ImagePrediction",
    "LabelDefinition",
    "PromotionPolicy",
    "Queue",
    "QueueItem",
    "TrainingEpoch",
    "TrainingRun",
]
