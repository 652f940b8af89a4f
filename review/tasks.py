"""The rooms' tasks, gathered for Celery."""

from review.verdicts import tasks as verdicts

__all__ = ["verdicts"]
