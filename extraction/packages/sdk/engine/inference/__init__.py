"""Steps of a pipeline."""

from __future__ import annotations

from .services import BaseBatchInferenceService

__all__ = ["BaseBatchInferenceService"]
