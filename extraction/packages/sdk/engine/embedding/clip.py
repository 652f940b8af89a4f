"""CLIP ViT-B-32 by open_clip: the embedder where a hub answers or its weights were put in place."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ..models.assets import download
from .base import CropEmbedder, EmbedderWeightsMissing, Pixels, file_hash, unit_rows

ARCHITECTURE = "ViT-B-32"
PRETRAINED = "laion2b_s34b_b79k"
WEIGHTS_FILE = f"{ARCHITECTURE}.{PRETRAINED}.safetensors"
INPUT_SIZE = 224
HUB_FILE = (
    "https://huggingface.co/laion/CLIP-ViT-B-32-laion2B-s34B-b79K/resolve/main/open_clip_model.safetensors"
)
_MEAN = (0.48145466, 0.4578275, 0.40821073)
_SPREAD = (0.26862954, 0.26130258, 0.27577711)


class ClipEmbedder(CropEmbedder):
    """`clip`: 224 px crops through CLIP's image tower."""

    embedder_id = "clip-vit-b-32"
    version = PRETRAINED
    input_size = INPUT_SIZE
    batch_size = 32

    def __init__(self, weights_dir: Path, *, device: str) -> None:
        path = _weights(weights_dir)
        import open_clip  # takes seconds

        self._device = torch.device(device)
        self._half = self._device.type == "cuda"
        model = open_clip.create_model(
            ARCHITECTURE, pretrained=str(path), precision="fp16" if self._half else "fp32"
        )
        self._model = model.eval().to(self._device)
        self._words = open_clip.get_tokenizer(ARCHITECTURE)
        self._mean = torch.tensor(_MEAN, device=self._device).view(1, 3, 1, 1)
        self._spread = torch.tensor(_SPREAD, device=self._device).view(1, 3, 1, 1)
        self.weights_sha256 = file_hash(path)

    def _forward(self, batch: Pixels) -> NDArray[np.float32]:
        with torch.inference_mode():
            images = torch.from_numpy(batch).to(self._device).permute(0, 3, 1, 2).float() / 255
            images = (images - self._mean) / self._spread
            vectors = self._model.encode_image(images.half() if self._half else images)
        result: NDArray[np.float32] = vectors.float().cpu().numpy()
        return result

    def embed_texts(self, texts: Sequence[str]) -> NDArray[np.float16]:
        """Through CLIP's text tower; what is longer than its 77 tokens is cut."""
        with torch.inference_mode():
            vectors = self._model.encode_text(self._words(list(texts)).to(self._device))
        return unit_rows(vectors.float().cpu().numpy())


def _weights(weights_dir: Path) -> Path:
    """Find CLIP's weights, else ask the hub once; they are kept in `weights_dir`."""
    path = weights_dir / WEIGHTS_FILE
    if path.exists():
        return path
    try:
        download(HUB_FILE, path)
    except OSError as error:
        raise EmbedderWeightsMissing(
            f"CLIP's weights are not here and no model hub answers ({error}). Put {WEIGHTS_FILE} "
            f"(open_clip's {ARCHITECTURE}, {PRETRAINED}) into {weights_dir}, or choose 'offline', "
            "whose weights ship with mixcv."
        ) from error
    return path
