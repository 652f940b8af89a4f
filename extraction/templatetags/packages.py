"""Filters for pages of detectors and models."""

from __future__ import annotations

from django import template

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
