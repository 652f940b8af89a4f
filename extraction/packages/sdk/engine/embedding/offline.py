"""The offline embedder: a small pooled convolutional backbone with frozen weights that ship with mixcv."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from .base import DIM, CropEmbedder, Pixels, file_hash

INPUT_SIZE = 64
WEIGHTS_FILE = "embedder.safetensors"
VERSION = "1.0.0"


def _block(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
    )


class OfflineBackbone(nn.Module):  # type: ignore[misc]  # torch is not typed here
    """(n, 3, 64, 64) in 0..1 → (n, 512), pooled by mean and maximum, centred, not yet of unit length."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            _block(3, 24, 2), _block(24, 48, 2), _block(48, 64, 1), _block(64, 96, 2), _block(96, 128, 1)
        )
        self.project = nn.Linear(128 * 5, DIM, bias=False)
        self.centre = nn.BatchNorm1d(DIM, affine=False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        maps = self.features((images - 0.5) * 4)
        quarters = nn.functional.adaptive_avg_pool2d(maps, 2).flatten(1)
        pooled = torch.cat([quarters, maps.amax(dim=(2, 3))], dim=1)
        result: torch.Tensor = self.centre(self.project(pooled))
        return result


class OfflineEmbedder(CropEmbedder):
    """`offline`: 64 px crops, fast on a CPU, independent of any detector's version."""

    embedder_id = "offline"
    version = VERSION
    input_size = INPUT_SIZE

    def __init__(self, weights: Path, *, device: str) -> None:
        from safetensors.torch import load_file

        self._device = torch.device(device)
        self._half = self._device.type == "cuda"
        model = OfflineBackbone()
        model.load_state_dict({name: value.float() for name, value in load_file(weights).items()})
        for index, block in enumerate(model.features):
            model.features[index] = _fused(block)
        self._model = model.eval().to(self._device, memory_format=torch.channels_last)
        if self._half:
            self._model = self._model.half()
        self.weights_sha256 = file_hash(weights)

    def _forward(self, batch: Pixels) -> NDArray[np.float32]:
        with torch.inference_mode():
            images = torch.from_numpy(batch).to(self._device).permute(0, 3, 1, 2)
            images = (images.half() if self._half else images.float()) / 255
            vectors = self._model(images)
        result: NDArray[np.float32] = vectors.float().cpu().numpy()
        return result


def _fused(block: nn.Module) -> nn.Sequential:
    """Fold a block's batch normalisation into its convolution."""
    convolution, norm = block[0], block[1]
    fused = torch.nn.utils.fusion.fuse_conv_bn_eval(convolution.eval(), norm.eval())
    return nn.Sequential(fused, nn.ReLU(inplace=True))
