"""Writes of evaluations."""

from review.evaluation.domain.errors import EvaluationOver, NothingToMeasureOn, NotMeasurable
from review.evaluation.domain.running import lost_evaluations, run_evaluation
from review.evaluation.domain.starting import KIND, MOST_VERSIONS, TASK, cancel_evaluation, start_evaluation

__all__ = [
    "KIND",
    "MOST_VERSIONS",
    "TASK",
    "EvaluationOver",
    "NotMeasurable",
    "NothingToMeasureOn",
    "cancel_evaluation",
    "lost_evaluations",
    "run_evaluation",
    "start_evaluation",
]
