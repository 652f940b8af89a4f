"""The rooms' tasks, gathered for Celery."""

from review.queues import tasks as queues
from review.verdicts import tasks as verdicts

__all__ = ["queues", "verdicts"]
