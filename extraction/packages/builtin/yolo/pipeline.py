"""The built-in detector, written as a user would write a package of their own.

Parameters: `threshold` (confidence, 0.25), `image_size` (longer side in pixels, 640), `iou` (of
non-maximum suppression, 0.7), `half` (half precision, on a GPU only; true there by default).
The weights are those that the extractor version was registered with.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from engine import runtime
from engine.inference.services import BaseBatchInferenceService
from engine.io import parallel_io
from engine.models.lazy import LazyModelMixin

TOP_CLASSES = 5
# A box that was clipped to the image's edge down to nothing (pixels); at low thresholds most images have one.
MIN_SIDE = 1e-3


def _scoring_predictor() -> Any:
    """Give a predictor class whose results keep every class's probability for the boxes that stay."""
    from ultralytics.models.yolo.detect import DetectionPredictor
    from ultralytics.utils import nms

    class ScoringPredictor(DetectionPredictor):
        def postprocess(self, preds: Any, img: Any, orig_imgs: Any, **kwargs: Any) -> Any:
            if getattr(self.model, "end2end", False):
                return super().postprocess(preds, img, orig_imgs, **kwargs)
            raw = preds[0] if isinstance(preds, (list, tuple)) else preds  # (n, 4 + classes, anchors)
            scores = raw[:, 4 : 4 + len(self.model.names)].clone()
            kept, anchors = nms.non_max_suppression(
                preds,
                self.args.conf,
                self.args.iou,
                self.args.classes,
                self.args.agnostic_nms,
                max_det=self.args.max_det,
                return_idxs=True,
            )
            results = self.construct_results(kept, img, orig_imgs, **kwargs)
            for result, image_scores, index in zip(results, scores, anchors, strict=True):
                result.class_scores = image_scores[:, index.view(-1).long()].T.float().cpu().numpy()
            return results

    return ScoringPredictor


class YOLODetector(LazyModelMixin, BaseBatchInferenceService):
    """Detects with the weights of its extractor version."""

    model_source = "weights"

    def __init__(self, parameters: dict[str, Any]) -> None:
        self.parameters = parameters

    def _instantiate_model(self, cached_data: Any) -> Any:
        from ultralytics import YOLO

        weights = runtime.current().weights
        if weights is None:
            raise FileNotFoundError(
                "The built-in package yolo needs weights: register the version with a .pt file."
            )
        model = YOLO(str(weights), task="detect")
        model.to(self._detect_device())
        return model, _scoring_predictor()

    def _process_batch(self, batch: pd.DataFrame) -> pd.DataFrame:
        model, predictor = self.get_model()
        images = parallel_io(batch["data"].tolist())
        device = self._detect_device()
        results = model.predict(
            images,
            predictor=predictor,
            conf=float(self.parameters.get("threshold", 0.25)),
            iou=float(self.parameters.get("iou", 0.7)),
            imgsz=int(self.parameters.get("image_size", 640)),
            half=device.startswith("cuda") and bool(self.parameters.get("half", True)),
            device=device,
            verbose=False,
        )
        batch["detections"] = [_detections(result) for result in results]
        return batch


def _detections(result: Any) -> list[dict[str, Any]]:
    """Turn one result into rows; x, y are the centre in pixels of the upright image. Boxes without area are none."""
    boxes = result.boxes.xywh.float().cpu().numpy()
    classes = result.boxes.cls.cpu().numpy().astype(int)
    confidences = result.boxes.conf.float().cpu().numpy()
    scores = getattr(result, "class_scores", None)
    rows = []
    for number, (box, index, confidence) in enumerate(zip(boxes, classes, confidences, strict=True)):
        if min(box[2:]) <= MIN_SIDE:
            continue
        row: dict[str, Any] = {
            "class": result.names[int(index)],
            "confidence": float(confidence),
            "bbox": dict(zip("xywh", (float(value) for value in box), strict=True)),
        }
        if scores is not None:
            likeliest = np.argsort(-scores[number])[:TOP_CLASSES]
            row["class_scores"] = {
                result.names[int(at)]: round(float(scores[number][at]), 5) for at in likeliest
            }
        rows.append(row)
    return rows


def build_steps(extractor_request: Any = None, base_steps: Any = None, **kwargs: Any) -> dict[str, Any]:
    parameters = dict((extractor_request or {}).get("parameters", {}))
    return {"steps": [*(base_steps or []), YOLODetector(parameters)], "prepare": lambda batch: batch}


def extract(extractor_request: Any = None, base_steps: Any = None, **kwargs: Any) -> dict[str, Any]:
    return build_steps(extractor_request=extractor_request, base_steps=base_steps, **kwargs)
