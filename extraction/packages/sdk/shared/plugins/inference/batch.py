"""The step that a package's pipeline is made of."""

from __future__ import annotations

from engine.inference.services import BaseBatchInferenceService

__all__ = ["BaseBatchInferenceService"]
