"""Which embedders there are, and how one is loaded."""

from __future__ import annotations

from pathlib import Path

from .base import CropEmbedder, EmbedderWeightsMissing

EMBEDDERS = ("offline", "clip")


def load_embedder(name: str, *, weights_dir: Path, device: str = "cpu") -> CropEmbedder:
    """Load the embedder `offline` or `clip`.

    `weights_dir` holds its weights: mixcv's shipped weights for `offline`, the weights folder for
    `clip`. Raises EmbedderWeightsMissing with the file's name and folder, ValueError on another name.
    """
    if name == "offline":
        from .offline import WEIGHTS_FILE, OfflineEmbedder

        path = weights_dir / WEIGHTS_FILE
        if not path.exists():
            raise EmbedderWeightsMissing(
                f"The offline embedder's weights {WEIGHTS_FILE} are wanted in {weights_dir}."
            )
        return OfflineEmbedder(path, device=device)
    if name == "clip":
        from .clip import ClipEmbedder

        return ClipEmbedder(weights_dir, device=device)
    raise ValueError(f"There is no embedder {name!r}; there are {', '.join(EMBEDDERS)}.")
