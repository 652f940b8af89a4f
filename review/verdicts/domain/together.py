"""Creating, changing and deleting annotations in one transaction."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction

from mixcv.tenancy.actors import Actor
from mixcv.tenancy.models import Namespace
from review.verdicts.domain.ledger import Ledger, lock_places
from review.verdicts.domain.record import record_into
from review.verdicts.domain.retract import delete_into
from review.verdicts.domain.revise import revise_into
from review.verdicts.domain.values import Outcome, Revision, Verdict


def change_together(
    *,
    namespace: Namespace,
    verdicts: Sequence[Verdict] = (),
    revisions: Sequence[Revision] = (),
    annotation_ids: Sequence[str] = (),
    by: Actor,
) -> tuple[list[Outcome], list[Outcome], list[Outcome]]:
    """Record verdicts, then revise, then delete annotations, as the verbs of their own do; the outcomes of each.

    All detections and images are locked first, and what follows is written once, at the end: two callers whose lists
    cross each other wait for one another, and neither is thrown out.
    """
    with transaction.atomic():
        lock_places(namespace, verdicts, [*(one.annotation_id for one in revisions), *annotation_ids])
        ledger = Ledger(namespace, by)
        recorded = record_into(ledger, verdicts) if verdicts else []
        revised = revise_into(ledger, revisions) if revisions else []
        deleted = delete_into(ledger, annotation_ids) if annotation_ids else []
        ledger.settle()
    return recorded, revised, deleted
