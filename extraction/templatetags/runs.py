"""Filters for pages of runs."""

from __future__ import annotations

from typing import Any

from django import template

from extraction.runs.models import Batch

register = template.Library()


@register.filter
def over(progress: dict[str, Any]) -> int:
    """How many items are over: done, failed or skipped."""
    return int(progress["done"] + progress["failed"] + progress["skipped"])


@register.filter
def title_of(batch: Batch) -> str:
    """A batch that nobody named is called by its bucket."""
    return batch.name or f"Images of {batch.bucket.name}"
