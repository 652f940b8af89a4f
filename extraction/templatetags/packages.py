"""Filters for pages of detectors and models."""

from __future__ import annotations

from django import template

from extraction.packages.models import ExtractorVersion
from extraction.packages.queries import models_needed

register = template.Library()


@register.filter
def version_state(state: str) -> str:
    """The class of `.state` that stands for an extractor version's state."""
    return {"ready": "ok", "deploying": "live", "failed": "bad"}.get(state, "")


@register.filter
def model_state(state: str) -> str:
    """The same for a model of the registry."""
    return {"deployed": "ok", "deploying": "live", "failed": "bad"}.get(state, "")


@register.filter
def version_word(state: str) -> str:
    """What people read for a state."""
    return {"registered": "not deployed"}.get(state, state)


@register.filter
def first_line(text: str) -> str:
    """A failure without the host's last words, which stand below it."""
    return text.partition("\n")[0]


@register.filter
def weights_of(version: ExtractorVersion) -> str:
    """Which weights a version runs: its file, the registry's models that it loads, or what its package brings."""
    return (
        ", ".join(filter(None, [version.weights_name, *models_needed(version)])) or "what its package brings"
    )
