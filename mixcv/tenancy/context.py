"""What every page's frame shows: where one is, what else there is, and what waits there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest

from mixcv.kernel.frame import MAIN, MORE, Entry, nav_counts, stuck_jobs
from mixcv.kernel.models import Job
from mixcv.tenancy.addresses import address_if_there
from mixcv.tenancy.models import Namespace, User
from mixcv.tenancy.queries import namespaces_of


@dataclass(frozen=True)
class Place:
    """An entry of the navigation whose page exists."""

    name: str
    title: str
    href: str
    count: int


def frame(request: HttpRequest) -> dict[str, Any]:
    """`namespace`, `namespaces`, `role`, `counts` by nav entry, `places` and `more_places` of the navigation, running
    and stuck jobs, `theme`. Not for fragments.
    """
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
        counts = counts_of(request, namespace)
        context |= {
            "counts": counts,
            "places": _places(namespace, MAIN, counts),
            "more_places": _places(namespace, MORE, counts),
        }
        live = Job.objects.filter(
            namespace_id=namespace.pk, state__in=[Job.State.PENDING, Job.State.RUNNING]
        ).count()
        stuck = sum(count(namespace.pk) for count in stuck_jobs) if live else 0
        context |= {"running_jobs": live - stuck, "stuck_jobs": stuck}
    return context


def counts_of(request: HttpRequest, namespace: Namespace) -> dict[str, int]:
    """What waits by nav entry; counted once a request, however often it is asked for."""
    known: dict[str, int] | None = getattr(request, "nav_counts", None)
    if known is None:
        known = {name: number for count in nav_counts for name, number in count(namespace.pk).items()}
        request.nav_counts = known  # type: ignore[attr-defined]
    return known


def _places(namespace: Namespace, entries: Iterable[Entry], counts: dict[str, int]) -> list[Place]:
    found = [
        Place(one.name, one.title, address_if_there(namespace, one.name), counts.get(one.name, 0))
        for one in entries
    ]
    return [one for one in found if one.href]
