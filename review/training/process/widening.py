"""A detector for more classes than its weights know, whose old classes score exactly as before.

The hidden width of a YOLO head's class branch depends on the number of classes it was made for, so that a head made
anew for more classes could not take the old weights. Here the head stays as it is, and only the last 1×1 convolution
of each level gets more rows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .faults import Fault

HEADS = {"Detect", "v10Detect"}
_BRANCHES = ("cv3", "one2one_cv3")


def load_detector(path: Path) -> Any:
    """The model in a weights file of ultralytics, in single precision. Raises Fault where it is no detector."""
    from ultralytics.nn.tasks import load_checkpoint

    try:
        model, _ = load_checkpoint(str(path))
    except Exception as error:  # a pickle may raise anything
        raise Fault(
            "weights",
            f"{path.name} cannot be read as weights of ultralytics ({type(error).__name__}: {str(error)[:200]}).",
        ) from error
    head = list(model.model)[-1] if hasattr(model, "model") else None
    kind = type(head).__name__
    if kind not in HEADS:
        raise Fault(
            "weights",
            f"{path.name} is not a detector: its last layer is {kind}, and {' or '.join(sorted(HEADS))} is wanted. Use "
            "weights of a YOLO detection model.",
        )
    if model.is_fused() or getattr(head, "cv3", None) is None:
        raise Fault(
            "weights",
            f"{path.name} is fused for detection alone and cannot be trained. Use the weights before the export.",
        )
    return model


def check_names(model: Any, accepted: Sequence[Sequence[str]]) -> None:
    """Whether the weights' classes are the extractor's: `accepted` are the names that each index may have.

    Raises Fault naming the first index that differs.
    """
    names = {int(index): str(name).strip() for index, name in dict(model.names).items()}
    for index in range(int(model.model[-1].nc)):
        name = names.get(index, str(index))
        allowed = accepted[index] if index < len(accepted) else ()
        if name not in allowed:
            wanted = f"{allowed[0]!r}" if allowed else "no class"
            raise Fault(
                "classes",
                f"Class {index} of the base weights is {name!r}, but the extractor has {wanted} at {index}. Train from "
                "weights of this extractor, or make an extractor of another name for other classes.",
            )


def widen(model: Any, names: Sequence[str]) -> Any:
    """Give `model` an output row for each of `names`, in place; the rows that it has stay as they are.

    New rows start as those of a fresh head do: small weights, and a bias that expects few objects. Raises Fault where
    there are fewer names than classes.
    """
    import torch
    from torch import nn

    head = model.model[-1]
    old, new = int(head.nc), len(names)
    if new < old:
        raise Fault("classes", f"The base weights know {old} classes and the dataset {new}; none may go.")
    for branch in _BRANCHES:
        levels = getattr(head, branch, None)
        for level, stride in zip(levels or (), head.stride, strict=False):
            last = level[-1]
            if new == old or not isinstance(last, nn.Conv2d) or last.out_channels != old:
                continue
            wide = nn.Conv2d(last.in_channels, new, 1).to(last.weight.device, last.weight.dtype)
            with torch.no_grad():
                wide.weight.mul_(0.1)
                wide.bias.fill_(math.log(5 / new / (640 / float(stride)) ** 2))
                wide.weight[:old] = last.weight
                wide.bias[:old] = last.bias
            level[-1] = wide
    head.nc, head.no = new, new + head.reg_max * 4
    model.nc = new
    model.yaml["nc"] = new
    model.names = dict(enumerate(names))
    return model
