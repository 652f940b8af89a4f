"""Verbs of verdicts."""

from review.verdicts.domain.counts import fold_counts
from review.verdicts.domain.labels import define_label, own_labels, remove_label
from review.verdicts.domain.record import record_verdicts
from review.verdicts.domain.retract import delete_verdicts, retract_verdicts
from review.verdicts.domain.revise import REVISABLE, revise_verdicts
from review.verdicts.domain.together import change_together
from review.verdicts.domain.values import Outcome, Revision, StaleVerdict, UnknownLabel, Verdict

__all__ = [
    "REVISABLE",
    "Outcome",
    "Revision",
    "StaleVerdict",
    "UnknownLabel",
    "Verdict",
    "change_together",
    "define_label",
    "delete_verdicts",
    "fold_counts",
    "own_labels",
    "record_verdicts",
    "remove_label",
    "retract_verdicts",
    "revise_verdicts",
]
