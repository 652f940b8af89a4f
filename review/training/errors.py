"""Why a run is refused, or ends without a version."""

from __future__ import annotations

from mixcv.kernel.errors import Conflict, DomainError


class OtherClasses(Conflict):
    """The base version is of another extractor, whose indices mean other classes."""

    code = "other_classes"


class NoBaseWeights(Conflict):
    """Nothing says which weights to start from."""

    code = "no_base_weights"


class NotADetector(Conflict):
    """The base weights are no weights of a detector."""

    code = "not_a_detector"


class DiskFull(Conflict):
    """The run's images and checkpoints do not fit."""

    code = "disk_full"


class TrainingFailed(DomainError):
    """The training process ended without weights; the message says why."""

    code = "training_failed"
    status = 409
