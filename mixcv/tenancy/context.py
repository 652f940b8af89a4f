"""What every page's frame shows: where one is, and what waits there."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from mixcv.kernel.frame import nav_counts, stuck_jobs
from mixcv.kernel.models import Job
from mixcv.tenancy.models import User
from mixcv.tenancy.queries import namespaces_of


def frame(request: HttpRequest) -> dict[str, Any]:
    """`namespace`, `namespaces`, `role`, `counts` by nav entry, running and stuck jobs, `theme`. Not for fragments."""
    user = getattr(request, "user", None)
    if not isinstance(user, User):
        return {"theme": "dark"}
    theme = "" if user.theme == User.Theme.SYSTEM else user.theme
    namespace = getattr(request, "namespace", None)
    context: dict[str, Any] = {"theme": theme, "namespace": namespace, "role": getattr(request, "role", None)}
    htmx = getattr(request, "htmx", None)
    if htmx and not htmx.boosted:
        return context
    context["namespaces"] = namespaces_of(user)
    if namespace:
        context["counts"] = {
            name: number for count in nav_counts for name, number in count(namespace.pk).items()
        }
        live = Job.objects.filter(
            namespace_id=namespace.pk, state__in=[Job.State.PENDING, Job.State.RUNNING]
        ).count()
        stuck = sum(count(namespace.pk) for count in stuck_jobs) if live else 0
        context |= {"running_jobs": live - stuck, "stuck_jobs": stuck}
    return context
