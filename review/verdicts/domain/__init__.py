"""Verbs of verdicts."""

from review.verdicts.domain.record import record_verdicts
from review.verdicts.domain.retract import retract_verdicts
from review.verdicts.domain.values import Outcome, StaleVerdict, UnknownLabel, Verdict

__all__ = ["Outcome", "StaleVerdict", "UnknownLabel", "Verdict", "record_verdicts", "retract_verdicts"]
