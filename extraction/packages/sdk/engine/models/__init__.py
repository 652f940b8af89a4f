"""Models: loaded once and lazily, or taken from the namespace's model registry."""

from __future__ import annotations

from .lazy import LazyModelMixin
from .namespace import NamespaceModelMissing, load_namespace_model

__all__ = ["LazyModelMixin", "NamespaceModelMissing", "load_namespace_model"]
