"""Filters for pages of retrievers."""

from __future__ import annotations

import json
from typing import Any

from django import template

register = template.Library()


@register.filter
def as_json(value: Any) -> str:
    """A stage's parameters as a person reads them."""
    return json.dumps(value, ensure_ascii=False, indent=2)
