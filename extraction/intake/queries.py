"""Reads of intake."""

from __future__ import annotations

from django.db.models import Q, QuerySet
from django.http import Http404

from extraction.intake.models import Bucket, Object
from mixcv.kernel.errors import NotFound
from mixcv.tenancy.models import Namespace


def get_bucket(namespace: Namespace, ref: str) -> Bucket:
    """A bucket by id or name. Raises NotFound, with the names that there are."""
    # NUL is in no name, and PostgreSQL refuses it.
    ref = ref.replace("\x00", "?")
    found = list(
        Bucket.objects.filter(Q(public_id=ref) | Q(name=ref), namespace=namespace).select_related(
            "namespace"
        )[:2]
    )
    if not found:
        raise NotFound(f"There is no bucket {ref[:200]!r} in {namespace.name}.", field="bucket_id")
    # An id names one bucket; a name that is another's id does not win over it.
    return next((bucket for bucket in found if bucket.public_id == ref), found[0])


def bucket_page(namespace: Namespace, slug: str) -> Bucket:
    """A bucket by the last part of its page's address. Raises Http404."""
    found = (
        Bucket.objects.filter(namespace=namespace, public_id=f"bkt_{slug}")
        .select_related("namespace")
        .first()
    )
    if found is None:
        raise Http404(f"There is no bucket {slug!r} in {namespace.name}.")
    return found


def objects_of(bucket: Bucket, search: str = "") -> QuerySet[Object]:
    """A bucket's objects, newest first, with what a list of them shows."""
    rows = Object.objects.filter(bucket=bucket).select_related("image__original").order_by("-id")
    return rows.filter(key__icontains=search.replace("\x00", "")) if search else rows


def buckets_of(namespace: Namespace, search: str = "") -> QuerySet[Bucket]:
    rows = Bucket.objects.filter(namespace=namespace).order_by("name", "id")
    if search:
        search = search.replace("\x00", "")
        rows = rows.filter(
            Q(name__icontains=search) | Q(public_id__icontains=search) | Q(description__icontains=search)
        )
    return rows
