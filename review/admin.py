"""The rooms' admin pages, gathered for Django."""

from review.datasets import admin as datasets
from review.queues import admin as queues
from review.verdicts import admin as verdicts

__all__ = ["datasets", "queues", "verdicts"]
