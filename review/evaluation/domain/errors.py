"""What the room refuses."""

from __future__ import annotations

from mixcv.kernel.errors import Conflict


class NothingToMeasureOn(Conflict):
    """The dataset version has no image of the holdout."""

    code = "no_holdout"


class NotMeasurable(Conflict):
    """A version cannot be run on this holdout; the message says which and why."""

    code = "not_measurable"


class EvaluationOver(Conflict):
    """The evaluation has ended already."""

    code = "evaluation_over"
