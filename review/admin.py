"""The rooms' admin pages, gathered for Django."""

from review.datasets import admin as datasets
from review.evaluation import admin as evaluation
from review.queues import admin as queues
from review.training import admin as training
from review.verdicts import admin as verdicts

__all__ = ["datasets", "evaluation", "queues", "training", "verdicts"]
