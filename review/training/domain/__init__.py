"""Verbs of training: started, run by a worker, cancelled, and what comes of it put to work."""

from review.training.domain.collecting import collect_with
from review.training.domain.ending import forget_folders
from review.training.domain.running import run_training
from review.training.domain.starting import KIND, TASK, cancel_run, lost_runs, start_run

__all__ = [
    "KIND",
    "TASK",
    "cancel_run",
    "collect_with",
    "forget_folders",
    "lost_runs",
    "run_training",
    "start_run",
]
