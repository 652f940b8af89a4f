"""A training run as a task of the API."""

from __future__ import annotations

from mixcv.kernel.jobs import JobKind
from review.training.domain.starting import KIND, cancel_of_job
from review.training.queries import describe_runs

TRAINING = JobKind(KIND, "engine_object_processing", cancel_of_job, describe_runs)
