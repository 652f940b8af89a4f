"""The step that a package's pipeline is made of."""

from __future__ import annotations

from typing import Any

import pandas as pd


class BaseBatchInferenceService:
    """Override `_process_batch`.

    The batch has one row per image; column `data` (and the manifest's input names) hold its path.
    The result is the same rows with a column per feature: `detections` a list of
    `{class, confidence, bbox: {x, y, w, h}}` with x, y the centre in pixels of the upright image;
    an embedding feature either one vector per image or one per detection, in their order.
    """

    def __call__(self, batch: Any) -> pd.DataFrame:
        """Process a batch given as a DataFrame or as a mapping of columns."""
        frame = batch if isinstance(batch, pd.DataFrame) else pd.DataFrame(batch)
        return self._process_batch(frame)

    def _process_batch(self, batch: pd.DataFrame) -> pd.DataFrame:
        raise NotImplementedError(f"{type(self).__name__} must define _process_batch(self, batch).")
