"""What a host is started with, and what it gives back."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

DEFAULT_MEMORY_MB = 8192


@dataclass(frozen=True)
class HostSpec:
    """Everything that makes one host differ from another.

    `parameters` is JSON text of an object with sorted keys; `parameters_json(…)` makes it. `model_overrides` is such a
    text as well: ids of models by the ids that the package's code names in their place. `label` says whose host it is.
    `embedder_dir` holds the embedder's weights; None takes those that ship with mixcv for `offline`
    and `weights_dir` for `clip`. `memory_limit_mb` 0 means no limit.
    """

    package_dir: Path
    weights_dir: Path
    work_dir: Path
    weights: Path | None = None
    models_dir: Path | None = None
    embedder: str = "offline"
    embedder_dir: Path | None = None
    parameters: str = "{}"
    device: str | None = None
    label: str = ""
    model_overrides: str = "{}"
    memory_limit_mb: int = DEFAULT_MEMORY_MB
    start_timeout_s: float = 180.0
    batch_timeout_s: float = 120.0

    @property
    def key(self) -> str:
        """A short hash over all fields: two equal specs share one host."""
        text = json.dumps(asdict(self), default=str, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def resolved_embedder_dir(self) -> Path:
        if self.embedder_dir is not None:
            return self.embedder_dir
        shipped = Path(__file__).resolve().parent.parent / "builtin" / "weights"
        return shipped if self.embedder == "offline" else self.weights_dir


def parameters_json(parameters: dict[str, Any]) -> str:
    """Give parameters as HostSpec wants them."""
    return json.dumps(parameters, sort_keys=True)


@dataclass(frozen=True)
class HostInfo:
    """What a started host says of itself. `embedder`: id, version, dim, weights_sha256.

    `models`: ids of the registry's models that the package loaded so far.
    """

    device: str
    class_names: dict[int, str]
    embedder: dict[str, Any]
    libraries: dict[str, str]
    models: tuple[str, ...] = ()


@dataclass(frozen=True)
class Detection:
    """One detection; x, y are the centre, all in pixels of the upright image."""

    class_name: str
    confidence: float
    x: float
    y: float
    w: float
    h: float
    class_scores: dict[str, float] | None = None
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ImageResult:
    """One image's result, detections by falling confidence.

    `vectors`: for each embedding feature that the package fills, float16 (n, dim), one per detection
    in this order, or (1, dim), which belongs to detection 0. `crop_embedding`: float16 (n, 512) of
    the server's embedder; a feature with `"source": "crop"` has these same rows and is not repeated in
    `vectors`. **A row of NaN is a vector that must not be stored** (it was zero or not finite).
    `error` is set where this image alone failed; then there are no detections.
    """

    width: int
    height: int
    detections: list[Detection]
    vectors: dict[str, NDArray[np.float16]]
    crop_embedding: NDArray[np.float16]
    error: str | None = None


@dataclass(frozen=True)
class EmbedResult:
    """Vectors (n, 512) float16 of the boxes asked for in one image; NaN rows must not be stored."""

    crop_embedding: NDArray[np.float16]
    error: str | None = None
