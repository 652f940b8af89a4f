"""Models: loaded once and lazily, from disk, a hub, or the namespace's model registry."""

from __future__ import annotations

from .lazy import LazyModelMixin, lazy_model
from .loader import ModelMissing, is_hf_model_cached, load_hf_model, load_weights
from .namespace import NamespaceModelMissing, load_namespace_model

__all__ = [
    "LazyModelMixin",
    "ModelMissing",
    "NamespaceModelMissing",
    "is_hf_model_cached",
    "lazy_model",
    "load_hf_model",
    "load_namespace_model",
    "load_weights",
]
