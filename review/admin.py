"""The rooms' admin pages, gathered for Django."""

from review.queues import admin as queues
from review.verdicts import admin as verdicts

__all__ = ["queues", "verdicts"]
