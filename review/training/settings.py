"""What people choose of a training run."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from django.conf import settings as site

from mixcv.kernel.errors import InvalidInput
from review.training.process.recipe import AUGMENTATIONS

MOST_EPOCHS, MOST_BATCH, LARGEST_IMAGE, LARGEST_SEED = 1000, 1024, 4096, 2**31 - 1
DEVICE = re.compile(r"auto|cpu|mps|cuda(:\d{1,2})?")


@dataclass(frozen=True)
class Settings:
    """`image_size`: pixels of the longer side, None for the base version's own. `batch` -1 lets CUDA choose.

    `patience`: epochs without getting better after which the run ends, 0 for never. `freeze`: how many of the first
    layers stay as they are. `device`: auto, cpu, mps or cuda:0; `auto` is what the server is set to.
    """

    epochs: int = 40
    image_size: int | None = None
    batch: int = 8
    device: str = "auto"
    patience: int = 15
    freeze: int = 0
    seed: int = 0
    augmentation: str = "light"

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def target(self) -> str:
        """The device that the run is for, as the worker understands it."""
        return site.MIXCV_DEVICE if self.device == "auto" else self.device


def read_settings(values: Mapping[str, Any]) -> Settings:
    """Settings from what a caller sent. Raises InvalidInput with every fault."""
    known = {field.name for field in fields(Settings)}
    unknown = sorted(set(values) - known)
    faults = [f"There is no setting {', '.join(unknown)}; there are {', '.join(sorted(known))}."]
    settings = Settings(**{key: value for key, value in values.items() if key in known})
    check_settings(settings, faults if unknown else [])
    return settings


def check_settings(settings: Settings, faults: list[str] | None = None) -> None:
    """Raises InvalidInput with every fault at once."""
    found = [*(faults or []), *faults_of(settings).values()]
    if found:
        raise InvalidInput(" ".join(found), field="settings", details={"faults": found})


def faults_of(settings: Settings) -> dict[str, str]:
    """What is wrong, by setting; empty where nothing is."""
    found = {}
    for name, (least, most) in BOUNDS.items():
        value = getattr(settings, name)
        if not _whole(value) or not least <= value <= most:
            found[name] = f"{name} is {value!r}; it must be a whole number from {least} to {most:,}."
    size = settings.image_size
    least, most = IMAGE_SIZES
    if size is not None and (not _whole(size) or not least <= size <= most or size % 32):
        found["image_size"] = (
            f"image_size is {size!r}; it must be a multiple of 32 from {least} to {most:,} pixels."
        )
    if settings.augmentation not in AUGMENTATIONS:
        found["augmentation"] = (
            f"augmentation is {settings.augmentation!r}; it must be {', '.join(AUGMENTATIONS)}."
        )
    if not isinstance(settings.device, str) or not DEVICE.fullmatch(settings.device):
        found["device"] = (
            f"device is {settings.device!r}; it must be auto, cpu, mps, cuda or cuda:0 and so on."
        )
    batch = settings.batch
    if not _whole(batch) or not (1 <= batch <= MOST_BATCH or batch == -1):
        found["batch"] = (
            f"batch is {batch!r}; it must be from 1 to {MOST_BATCH:,}, or -1 to let a CUDA device choose."
        )
    elif batch == -1 and "device" not in found and settings.target in {"cpu", "mps"}:
        found["batch"] = f"batch is -1, which only a CUDA device can choose; the device is {settings.target}."
    return found


BOUNDS = {
    "epochs": (1, MOST_EPOCHS),
    "patience": (0, MOST_EPOCHS),
    "freeze": (0, 1000),
    "seed": (0, LARGEST_SEED),
}
IMAGE_SIZES = (64, LARGEST_IMAGE)


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
