"""The rooms' admin pages, gathered for Django."""

from extraction.classes import admin as classes
from extraction.imports import admin as imports
from extraction.intake import admin as intake
from extraction.packages import admin as packages
from extraction.runs import admin as runs
from extraction.search import admin as search

__all__ = ["classes", "imports", "intake", "packages", "runs", "search"]
