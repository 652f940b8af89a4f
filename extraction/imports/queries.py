"""Reads of imports."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import QuerySet

from extraction.imports.models import ImportFault, TruthImport
from extraction.intake.models import Bucket
from mixcv.kernel.errors import NotFound
from mixcv.kernel.jobs import Described
from mixcv.kernel.models import Job
from mixcv.tenancy.addresses import address
from mixcv.tenancy.models import Namespace


def imports_of(bucket: Bucket) -> QuerySet[TruthImport]:
    """A bucket's imports, newest first, with their jobs."""
    return TruthImport.objects.filter(bucket=bucket).select_related("job", "bucket").order_by("-id")


def get_import(bucket: Bucket, ref: str) -> TruthImport:
    """Raises NotFound."""
    # NUL is in no id, and PostgreSQL refuses it.
    row = imports_of(bucket).filter(public_id=ref.replace("\x00", "?")).first()
    if row is None:
        raise NotFound(f"There is no import {ref[:100]!r} into {bucket.name}.", field="import_id")
    return row


def faults_of(row: TruthImport) -> QuerySet[ImportFault]:
    """What was wrong, in the order in which it was met; what cost something before what is only to be looked at."""
    return row.faults.select_related("image").order_by("id")


def describe_imports(namespace: Namespace, jobs: Sequence[Job]) -> dict[int, Described]:
    """For the page of tasks: what is imported, and where its report stands."""
    rows = TruthImport.objects.filter(bucket__namespace=namespace, job__in=jobs).select_related("bucket")
    return {
        row.job_id: Described(
            f"Import {row.name} into {row.bucket.name}",
            address(namespace, "truth-import", row.bucket.public_id.removeprefix("bkt_"), row.public_id),
            "pictures",
        )
        for row in rows
    }
