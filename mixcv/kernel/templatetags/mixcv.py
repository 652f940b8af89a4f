"""Tags and filters that every template has: icons, numbers, times."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import template
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import format_html

from mixcv.kernel.jobs import seconds_text

register = template.Library()


@register.simple_tag
def icon(name: str) -> str:
    """`{% icon "check" %}`: a symbol of the sprite, hidden from readers."""
    return format_html(
        '<svg class="i" aria-hidden="true"><use href="{}#{}"/></svg>', static("icons.svg"), name
    )


@register.filter
def thousands(value: Any) -> str:
    """1234567 → 1,234,567."""
    return f"{value:,}" if isinstance(value, int) else str(value)


@register.filter
def two(value: float | None) -> str:
    """A confidence: two decimals; a dash for none."""
    return "–" if value is None else f"{value:.2f}"


@register.filter
def ago(moment: datetime | None) -> str:
    """just now · 9 s ago · 5 min ago · 14:02 today · Mon this week · 18 Nov after that."""
    if moment is None:
        return "–"
    now = timezone.now()
    seconds = (now - moment).total_seconds()
    if seconds < 5:
        return "just now"
    if seconds < 60:
        return f"{int(seconds)} s ago"
    if seconds < 3600:
        return f"{int(seconds // 60)} min ago"
    local, today = timezone.localtime(moment), timezone.localdate()
    if local.date() == today:
        return f"{local:%H:%M}"
    if (today - local.date()).days < 7:
        return f"{local:%a}"
    return f"{local.day} {local:%b}" + ("" if local.year == today.year else f" {local.year}")


@register.filter
def time_left(seconds: float | None) -> str:
    """19 s left · 14 min left · 2 h left; `counting` before the first estimate."""
    return "counting" if seconds is None else f"{seconds_text(seconds)} left"


@register.filter
def filesize_short(value: int) -> str:
    """1234567 → 1.2 MB."""
    size = float(value)
    for unit in ("B", "KB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 10 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
