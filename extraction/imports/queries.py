"""Reads of imports."""

from __future__ import annotations

from django.db.models import QuerySet

from extraction.imports.models import ImportFault, TruthImport
from extraction.intake.models import Bucket
from mixcv.kernel.errors import NotFound


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
