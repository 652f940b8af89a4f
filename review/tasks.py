"""The rooms' tasks, gathered for Celery."""

from review.evaluation import tasks as evaluation
from review.queues import tasks as queues
from review.training import tasks as training
from review.verdicts import tasks as verdicts

__all__ = ["evaluation", "queues", "training", "verdicts"]
