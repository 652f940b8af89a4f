"""A model that is loaded when first asked for, and then stays."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

from .. import runtime
from .loader import cached_hf_model, load_hf_model, load_weights
from .namespace import load_namespace_model

Loader = TypeVar("Loader", bound=Callable[..., Any])
_loading = threading.RLock()


class LazyModelMixin:
    """Ask `get_model()`; override `_instantiate_model` to load in a way of your own.

    `model_source` says where `model_id` is looked for: `huggingface` (on this server's disk; the hub is asked only
    where `_instantiate_model` is not overridden), or `namespace` (the model registry). A model with `names`, class
    names by index, tells the server which classes there are before the first image.
    """

    model_id: str = ""
    model_class: str = "AutoModel"
    tokenizer_class: str = "AutoTokenizer"
    torch_dtype: str = "float32"
    model_source: str = "huggingface"
    _model: Any = None

    def get_model(self) -> Any:
        """Give what `_instantiate_model` returned, calling it the first time only; `(model, tokenizer)` by default."""
        if self._model is None:
            with _loading:
                if self._model is None:
                    self._model = self._instantiate_model(self._cached_data())
        return self._model

    def ensure_model_loaded(self) -> None:
        """Load the model now, if it is not loaded yet."""
        self.get_model()

    def _instantiate_model(self, cached_data: Any) -> Any:
        """Load the model and give `(model, tokenizer)`.

        `cached_data` is the path of what is on this server: a model's folder of `huggingface`, a weights file of
        `namespace`; None where nothing is.
        """
        if self.model_source == "namespace":
            path = cached_data or load_namespace_model(self.model_id)
            return load_weights(path, device=self._detect_device()), None
        return load_hf_model(
            self.model_id,
            model_class=self.model_class,
            tokenizer_class=self.tokenizer_class,
            torch_dtype=self.torch_dtype,
            device=self._detect_device(),
        )

    def _cached_data(self) -> str | None:
        if not self.model_id:
            return None
        if self.model_source == "namespace":
            return load_namespace_model(self.model_id)
        if self.model_source == "huggingface":
            folder: Path | None = cached_hf_model(self.model_id)
            return None if folder is None else str(folder)
        return None

    def _detect_device(self) -> str:
        """Give `cuda`, `mps` or `cpu`: what the host was told to use, else the best there is."""
        return runtime.detect_device()


def lazy_model(load: Loader) -> Loader:
    """Decorate a function that loads a model: it runs at its first call with given arguments, and is remembered."""
    kept: dict[Any, Any] = {}

    @wraps(load)
    def get(*args: Any, **kwargs: Any) -> Any:
        key = (args, tuple(sorted(kwargs.items())))
        if key not in kept:
            with _loading:
                if key not in kept:
                    kept[key] = load(*args, **kwargs)
        return kept[key]

    return get  # type: ignore[return-value]
