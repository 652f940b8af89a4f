"""The rooms' tasks, gathered for Celery."""

from extraction.imports import tasks as imports
from extraction.intake import tasks as intake
from extraction.packages import tasks as packages
from extraction.runs import tasks as runs
from extraction.search import tasks as search
from extraction.truth import tasks as truth

__all__ = ["imports", "intake", "packages", "runs", "search", "truth"]
