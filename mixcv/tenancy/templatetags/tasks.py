"""`{% task job %}`: long work with its bar, rate, time left and stop, asking for itself again while it is live.

`{% task job polls=False %}` inside a fragment that asks for itself anyway.
"""

from __future__ import annotations

from typing import Any

from django import template

from mixcv.kernel.jobs import describe_jobs
from mixcv.kernel.models import Job

register = template.Library()


@register.inclusion_tag("frame/_task.html", takes_context=True)
def task(context: template.Context, job: Job, *, polls: bool = True) -> dict[str, Any]:
    """Needs `request`, `namespace` and `role` in the context, as all pages inside a namespace have them."""
    request = context["request"]
    return {
        "work": describe_jobs(request.namespace, [job])[0],
        "polls": polls,
        "request": request,
        "namespace": request.namespace,
        "role": request.role,
        "csrf_token": context.get("csrf_token"),
    }
