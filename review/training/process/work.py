"""The training process's work: widen the base weights, train, and say what happens, a JSON line at a time.

Lines: `ready`, `base`, `batch`, `alive`, `epoch`, `samples`, then `done` or `failed`. Boxes are `[class index,
confidence, cx, cy, w, h]` in pixels of the upright image.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import traceback
from pathlib import Path
from typing import IO, Any

from .faults import Fault, fault_of
from .recipe import arguments
from .widening import check_names, load_detector, widen

CHECKPOINT, KEPT, HISTORY, FINAL = "checkpoint.pt", "kept.pt", "history.json", "final.pt"


class Speaker:
    """Writes one JSON line per message."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def say(self, op: str, **values: Any) -> None:
        self._stream.write(json.dumps({"op": op, **values}, allow_nan=False) + "\n")
        self._stream.flush()


def work(request: dict[str, Any], answers: IO[str]) -> None:
    """Train what `request` asks for: `folder`, `base`, `names`, `accepted`, `settings`, `samples`, `device`."""
    speaker = Speaker(answers)
    try:
        _work(request, speaker)
    except Exception as error:  # the process's boundary: the worker must hear why
        traceback.print_exc(file=sys.stderr)
        fault = fault_of(error)
        speaker.say("failed", kind=fault.kind, message=fault.message)


def _work(request: dict[str, Any], speaker: Speaker) -> None:
    import torch

    from .trainer import make_trainer

    folder, settings = Path(request["folder"]), request["settings"]
    device = _device(request["device"])
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    _have_start(folder, request)
    # Single precision takes four bytes a parameter.
    parameters = (folder / "start.pt").stat().st_size // 4
    images = sum(1 for _ in (folder / "data" / "images" / "train").iterdir())
    options = {
        **arguments(settings, device=device, images=images, parameters=parameters),
        "data": str(folder / "data" / "data.yaml"),
        "project": str(folder),
        "name": "train",
        "model": str(folder / "start.pt"),
    }
    history = _resume_from(folder, options)
    trainer = make_trainer(options, request["names"], request["samples"], history, speaker)
    speaker.say("ready", device=device, libraries=_libraries(), resumed=len(history))
    for epoch in history:
        speaker.say("epoch", **epoch)
    if len(history) < int(settings["epochs"]) and not _stopped_early(history, int(settings["patience"])):
        trainer.train()
    best = finish(folder, int(settings["image_size"]))
    speaker.say("done", best=best)


def _have_start(folder: Path, request: dict[str, Any]) -> None:
    """The widened base weights as `start.pt`; made once, whole or not at all."""
    import torch

    start = folder / "start.pt"
    if start.exists():
        return
    model = load_detector(Path(request["base"]))
    check_names(model, request["accepted"])
    layers = len(model.model)
    if int(request["settings"]["freeze"]) >= layers:
        raise Fault("settings", f"freeze must be less than {layers}, the number of the base model's layers.")
    widen(model, request["names"])
    part = start.with_suffix(".part")
    torch.save({"epoch": -1, "model": model, "train_args": {"task": "detect"}}, part)
    os.replace(part, start)


def _resume_from(folder: Path, options: dict[str, Any]) -> list[dict[str, Any]]:
    """Make `options` go on from the last checkpoint, where there is one; gives what its epochs measured."""
    checkpoint, history = folder / CHECKPOINT, folder / HISTORY
    if not checkpoint.exists() or not history.exists():
        return []
    import torch

    reached = int(torch.load(checkpoint, map_location="cpu", weights_only=False)["epoch"]) + 1
    weights = folder / "train" / "weights"
    weights.mkdir(parents=True, exist_ok=True)
    if (folder / KEPT).exists():
        # What ultralytics wrote itself may be half a file: it was killed while it wrote.
        shutil.copyfile(folder / KEPT, weights / "best.pt")
    shutil.copyfile(checkpoint, weights / "last.pt")
    options["resume"] = options["model"] = str(checkpoint)
    told: list[dict[str, Any]] = json.loads(history.read_text(encoding="utf-8"))
    return [epoch for epoch in told if epoch["number"] <= reached]


def _stopped_early(history: list[dict[str, Any]], patience: int) -> bool:
    """Whether the last epoch was one too many without getting better."""
    best = max((one["number"] for one in history if one["best"]), default=0)
    return bool(patience and history and len(history) - best >= patience)


def finish(folder: Path, image_size: int) -> dict[str, Any]:
    """Write the best epoch's weights as `final.pt`: half precision, no optimizer, no path of this machine.

    Gives that epoch's figures. Raises Fault where no epoch gave weights.
    """
    import torch

    source = folder / KEPT
    if not source.exists():
        raise Fault("broken", "No epoch came to its end, so there are no weights.")
    checkpoint = torch.load(source, map_location="cpu", weights_only=False)
    model = (checkpoint.get("ema") or checkpoint["model"]).float().half()
    model.args = {"task": "detect", "imgsz": image_size}
    model.yaml.pop("yaml_file", None)
    model.pt_path = ""
    for parameter in model.parameters():
        parameter.requires_grad = False
    kept = {
        "epoch": -1,
        "model": model,
        "train_args": {"task": "detect", "imgsz": image_size},
        "version": checkpoint.get("version"),
        "license": "AGPL-3.0",
    }
    part = folder / "final.part"
    torch.save(kept, part)
    os.replace(part, folder / FINAL)
    number = int(checkpoint["epoch"]) + 1
    history = json.loads((folder / HISTORY).read_text(encoding="utf-8"))
    found = next((one for one in history if one["number"] == number), {"number": number})
    return {key: value for key, value in found.items() if key not in {"losses", "best", "seconds"}}


def _device(wanted: str) -> str:
    import torch

    if wanted and wanted != "auto":
        if wanted.startswith("cuda") and not torch.cuda.is_available():
            raise Fault("settings", f"The device {wanted} is not there. Choose auto or cpu.")
        return wanted
    if torch.cuda.is_available():
        return "cuda:0"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _libraries() -> dict[str, str]:
    from importlib.metadata import version

    return {name: version(name) for name in ("ultralytics", "torch", "torchvision", "numpy")}
