"""What becomes of annotations when their documents are deleted."""

from __future__ import annotations

from django.db.models import QuerySet

from extraction.runs.models import Document
from review.verdicts.models import Annotation


def let_documents_go(documents: QuerySet[Document]) -> None:
    """Annotations that were taken back keep their history and their image, and no longer hold the document."""
    rows = Annotation.objects.filter(document__in=documents.values("pk"), deleted_at__isnull=False)
    rows.update(document=None, detection=None, collection=None)
