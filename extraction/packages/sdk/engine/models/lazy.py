"""A model that is loaded when first asked for, and then stays."""

from __future__ import annotations

import threading
from typing import Any

from .. import runtime


class LazyModelMixin:
    """Override `_instantiate_model`; ask `get_model()`.

    `model_id` and `model_source` say where the model comes from; nothing is fetched because of them.
    """

    model_id: str = ""
    model_source: str = ""
    _model_lock = threading.RLock()
    _model: Any = None

    def get_model(self) -> Any:
        """Give what `_instantiate_model` returned, calling it the first time only."""
        if self._model is None:
            with self._model_lock:
                if self._model is None:
                    self._model = self._instantiate_model(None)
        return self._model

    def _instantiate_model(self, cached_data: Any) -> Any:
        """Load the model. `cached_data` is None where nothing was cached for `model_id`."""
        raise NotImplementedError(f"{type(self).__name__} must define _instantiate_model(self, cached_data).")

    def _detect_device(self) -> str:
        """Give `cuda`, `mps` or `cpu`: what the host was told to use, else the best there is."""
        return runtime.detect_device()
