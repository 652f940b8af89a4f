"""ultralytics' trainer, made to start from widened weights, to keep checkpoints whole, and to say what it does."""

from __future__ import annotations

import json
import math
import os
import shutil
import sys
import time
import traceback
from collections import defaultdict
from copy import copy, deepcopy
from pathlib import Path
from typing import Any

from .faults import Fault

BATCH_S, ALIVE_S = 0.3, 60.0
LEAST_CONFIDENCE, MOST_BOXES = 0.2, 40


def make_trainer(
    options: dict[str, Any], names: list[str], samples: list[str], history: list[dict[str, Any]], speaker: Any
) -> Any:
    """A trainer whose `train()` tells `speaker` of batches, epochs and what it sees on the images called `samples`.

    `history`: what the epochs before measured, where it goes on. Classes are called by number inside, since
    ultralytics looks for another font where names are not ASCII; the weights get `names`.
    """
    import ultralytics.engine.trainer as engine

    # Its check of mixed precision would fetch other weights; mixed precision is asked for on CUDA only.
    engine.check_amp = lambda model: True
    trainer = _trainer_class(names, _validator_class(samples))(overrides=options)
    teller = _Teller(trainer, history, speaker)
    trainer.add_callback("on_train_start", teller.base)
    trainer.add_callback("on_val_start", teller.validation_starts)
    trainer.add_callback("on_train_epoch_start", teller.epoch_starts)
    trainer.add_callback("on_train_batch_end", teller.batch_ends)
    trainer.add_callback("on_val_batch_end", teller.validates)
    trainer.add_callback("on_model_save", teller.saved)
    return trainer


def _validator_class(samples: list[str]) -> Any:
    from ultralytics.models.yolo.detect import DetectionValidator

    class Validator(DetectionValidator):  # type: ignore[misc]
        """Keeps what it predicts for the samples."""

        def init_metrics(self, model: Any) -> None:
            super().init_metrics(model)
            self.seen_samples: dict[str, list[list[float]]] = {}

        def update_metrics(self, preds: Any, batch: dict[str, Any]) -> None:
            super().update_metrics(preds, batch)
            for number, pred in enumerate(preds):
                file = Path(batch["im_file"][number]).name
                if file in samples:
                    placed = self.scale_preds(self._prepare_pred(pred), self._prepare_batch(number, batch))
                    self.seen_samples[file] = boxes_of(placed)

    return Validator


def _trainer_class(names: list[str], validator: Any) -> Any:
    from ultralytics.models.yolo.detect import DetectionTrainer

    class Trainer(DetectionTrainer):  # type: ignore[misc]
        """Starts from weights as they are, and keeps a copy of each checkpoint that is never half written."""

        def get_model(self, cfg: Any = None, weights: Any = None, verbose: bool = True) -> Any:
            model = deepcopy(weights).float()
            for parameter in model.parameters():
                parameter.requires_grad_(True)
            return model

        def set_model_attributes(self) -> None:
            super().set_model_attributes()
            self.model.names = dict(enumerate(names))

        def get_validator(self) -> Any:
            return validator(
                self.test_loader, save_dir=self.save_dir, args=copy(self.args), _callbacks=self.callbacks
            )

        def read_results_csv(self) -> dict[str, Any]:
            return {}

        def final_eval(self) -> None:
            """Nothing: the best epoch's figures are known, and its weights are kept."""

    return Trainer


def boxes_of(placed: dict[str, Any]) -> list[list[float]]:
    """The surest boxes `[class index, confidence, cx, cy, w, h]` of one image, pixels of the file."""
    rows = []
    for (left, top, right, bottom), confidence, index in zip(
        placed["bboxes"].tolist(), placed["conf"].tolist(), placed["cls"].tolist(), strict=True
    ):
        if confidence >= LEAST_CONFIDENCE:
            centre = [(left + right) / 2, (top + bottom) / 2, right - left, bottom - top]
            rows.append([int(index), round(confidence, 4), *(round(value, 2) for value in centre)])
    return sorted(rows, key=lambda row: -row[1])[:MOST_BOXES]


class _Teller:
    """Callbacks: what was measured is written beside the checkpoint that it belongs to, then said."""

    def __init__(self, trainer: Any, history: list[dict[str, Any]], speaker: Any) -> None:
        self.folder = Path(trainer.args.project)
        self.history, self.speaker = list(history), speaker
        self.began = self.told = time.monotonic()
        self.batch = 0

    def base(self, trainer: Any) -> None:
        """What the start weights reach on the validation images; not again where a run goes on.

        A run that cannot measure it trains all the same.
        """
        if self.history:
            return
        trainer.epoch, trainer.loss_items = trainer.start_epoch, {}
        try:
            figures = trainer.validator(trainer)
        except Exception:  # the figure is wanted, the run more
            traceback.print_exc(file=sys.stderr)
            return
        finally:
            trainer.loss_items = None
        self.speaker.say("base", **_figures(figures))

    def validation_starts(self, validator: Any) -> None:
        if not validator.loss:  # before the first epoch no losses are known by name
            validator.loss = defaultdict(float)

    def epoch_starts(self, trainer: Any) -> None:
        self.began, self.batch = time.monotonic(), 0

    def batch_ends(self, trainer: Any) -> None:
        self.batch += 1
        if not _finite(trainer.loss) and trainer.epoch == trainer.start_epoch:
            raise Fault(
                "numbers",
                f"The loss is no number in epoch {trainer.epoch + 1}. The base weights or some boxes are broken; "
                "look at the dataset, or start from other weights.",
            )
        if time.monotonic() - self.told >= BATCH_S:
            self.told = time.monotonic()
            number = len(trainer.train_loader)
            self.speaker.say("batch", done=trainer.epoch * number + self.batch, total=trainer.epochs * number)

    def validates(self, validator: Any) -> None:
        """Many validation images on a slow machine take longer than the worker waits for a word."""
        if time.monotonic() - self.told >= ALIVE_S:
            self.told = time.monotonic()
            self.speaker.say("alive")

    def saved(self, trainer: Any) -> None:
        epoch = self._measured(trainer)
        if epoch["best"]:
            _copy(trainer.best, self.folder / "kept.pt")
        self.history = [one for one in self.history if one["number"] < epoch["number"]] + [epoch]
        part = self.folder / "history.part"
        part.write_text(json.dumps(self.history), encoding="utf-8")
        os.replace(part, self.folder / "history.json")
        _copy(trainer.last, self.folder / "checkpoint.pt")
        number = len(trainer.train_loader)
        self.speaker.say("epoch", **epoch)
        self.speaker.say("batch", done=(trainer.epoch + 1) * number, total=trainer.epochs * number)
        self.speaker.say("samples", samples=trainer.validator.seen_samples)

    def _measured(self, trainer: Any) -> dict[str, Any]:
        figures = trainer.metrics
        losses = {
            "train": {key: _number(value) for key, value in (trainer.tloss or {}).items()},
            "val": {key[4:]: _number(value) for key, value in figures.items() if key.startswith("val/")},
        }
        return {
            "number": trainer.epoch + 1,
            "losses": losses,
            **_figures(figures),
            "seconds": round(time.monotonic() - self.began, 2),
            "best": bool(trainer.best_fitness == trainer.fitness),
        }


def _figures(figures: dict[str, Any]) -> dict[str, float | None]:
    return {
        "precision": _number(figures.get("metrics/precision(B)")),
        "recall": _number(figures.get("metrics/recall(B)")),
        "map50": _number(figures.get("metrics/mAP50(B)")),
        "map50_95": _number(figures.get("metrics/mAP50-95(B)")),
    }


def _copy(source: Path, target: Path) -> None:
    part = target.with_suffix(".part")
    shutil.copyfile(source, part)
    os.replace(part, target)


def _finite(value: Any) -> bool:
    return value is None or bool(value.isfinite().all())


def _number(value: Any) -> float | None:
    if value is None:
        return None
    number = float(value)
    return round(number, 5) if math.isfinite(number) else None
