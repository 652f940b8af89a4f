"""How a run is trained: the settings that people choose, as ultralytics' arguments. Pure functions over values.

What was measured for the fixed ones stands in the record on training (docs/adr/0018).
"""

from __future__ import annotations

from typing import Any

# Flips are wrong wherever left and right or up and down mean something (digits, letters, signs): only `strong` and
# `normal` flip left to right.
AUGMENTATIONS: dict[str, dict[str, float]] = {
    "none": {
        "mosaic": 0.0,
        "hsv_h": 0.0,
        "hsv_s": 0.0,
        "hsv_v": 0.0,
        "degrees": 0.0,
        "translate": 0.0,
        "scale": 0.0,
        "fliplr": 0.0,
    },
    "light": {
        "mosaic": 0.5,
        "hsv_h": 0.015,
        "hsv_s": 0.4,
        "hsv_v": 0.3,
        "degrees": 4.0,
        "translate": 0.08,
        "scale": 0.25,
        "fliplr": 0.0,
    },
    "normal": {
        "mosaic": 0.8,
        "hsv_h": 0.015,
        "hsv_s": 0.6,
        "hsv_v": 0.4,
        "degrees": 4.0,
        "translate": 0.1,
        "scale": 0.4,
        "fliplr": 0.5,
    },
    "strong": {
        "mosaic": 1.0,
        "hsv_h": 0.02,
        "hsv_s": 0.7,
        "hsv_v": 0.4,
        "degrees": 8.0,
        "translate": 0.15,
        "scale": 0.5,
        "fliplr": 0.5,
        "mixup": 0.1,
    },
}
_FIXED: dict[str, Any] = {
    "optimizer": "AdamW",
    "lrf": 0.05,
    "cos_lr": True,
    "momentum": 0.9,
    "weight_decay": 0.0005,
    "warmup_epochs": 1.0,
    "warmup_bias_lr": 0.0,
    "val": True,
    "plots": False,
    "verbose": False,
    "save": True,
    "exist_ok": True,
    "pretrained": True,
    "task": "detect",
    "deterministic": True,
    "erasing": 0.0,
    "auto_augment": None,
}
CPU_BATCH = 8
MOST_IN_MEMORY = 1 << 30
# Small networks learn new classes from few images at the higher rate only; larger ones lose by it what they knew.
FEW_PARAMETERS, HIGH_RATE, LOW_RATE = 1_000_000, 0.004, 0.002


def arguments(settings: dict[str, Any], *, device: str, images: int, parameters: int) -> dict[str, Any]:
    """ultralytics' arguments for `settings` (see `settings.Settings`), so many images on a device, and a network of so
    many parameters."""
    batch = int(settings["batch"])
    if batch < 0 and not device.startswith("cuda"):
        batch = CPU_BATCH
    size, epochs = int(settings["image_size"]), int(settings["epochs"])
    fits = images * size * size * 3 <= MOST_IN_MEMORY
    return {
        **_FIXED,
        **AUGMENTATIONS[settings["augmentation"]],
        "lr0": HIGH_RATE if parameters <= FEW_PARAMETERS else LOW_RATE,
        "close_mosaic": max(1, epochs // 4),
        "epochs": epochs,
        "imgsz": size,
        "batch": batch,
        # A step per batch: small sets would else see a handful of steps an epoch.
        "nbs": batch if batch > 0 else 64,
        "patience": int(settings["patience"]),
        "freeze": int(settings["freeze"]) or None,
        "seed": int(settings["seed"]),
        "device": device,
        "workers": 4 if device.startswith("cuda") else 0,
        "cache": "ram" if fits else False,
        "amp": device.startswith("cuda"),
    }
