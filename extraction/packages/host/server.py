"""Inside the host process: takes requests, runs the package, embeds crops, hands results over.

Three things overlap: threads decode the next request's images, the main thread computes, and a
thread writes the results of the one before. At most one request is decoded ahead.
"""

from __future__ import annotations

import os
import queue
import threading
import traceback
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from engine import runtime
from engine.embedding import CropEmbedder, crop_box, load_embedder
from engine.io import start_reading
from numpy.typing import NDArray
from PIL import Image

from . import limits
from .loading import Pipeline, load_pipeline
from .results import BadOutput, VectorFeature, check_detections, check_vectors, vector_features
from .text import storable
from .wire import Frame, read_frame, write_frame

AHEAD = 2  # requests decoded or being decoded: the one that runs and the next
TRACE_CHARS = 4000

Pixels = NDArray[np.uint8]


@dataclass
class Job:
    """A request and its images, which are being decoded."""

    header: dict[str, Any]
    paths: list[str]
    decoding: list[Future[Image.Image]]


@dataclass
class ImageOutcome:
    """One image's checked result, or its error."""

    width: int = 0
    height: int = 0
    rows: list[dict[str, Any]] = field(default_factory=list)
    vectors: dict[str, NDArray[np.float16]] = field(default_factory=dict)
    error: str | None = None


class Answers:
    """Writes frames in a thread of its own, in order."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._waiting: queue.Queue[tuple[dict[str, Any], dict[str, NDArray[Any]]] | None] = queue.Queue()
        self._thread = threading.Thread(target=self._write, name="answers", daemon=True)
        self._thread.start()

    def send(self, header: dict[str, Any], arrays: dict[str, NDArray[Any]] | None = None) -> None:
        self._waiting.put((header, arrays or {}))

    def close(self) -> None:
        self._waiting.put(None)
        self._thread.join(timeout=5)

    def _write(self) -> None:
        while (item := self._waiting.get()) is not None:
            write_frame(self._stream, *item)


def serve(requests: BinaryIO, answers_to: BinaryIO) -> None:
    """Serve one worker until it closes the pipe."""
    start = read_frame(requests)
    if start is None:
        return
    answers = Answers(answers_to)
    try:
        server = Server(start.header)
    except BaseException as error:  # the boundary: whatever a package raises is told to the worker
        answers.send({"op": "failed", **_failure(error)})
        answers.close()
        return
    answers.send({"op": "ready", "info": server.info})
    jobs: queue.Queue[Job] = queue.Queue()
    slots = threading.Semaphore(AHEAD)
    threading.Thread(
        target=_read_requests, args=(requests, jobs, slots), name="requests", daemon=True
    ).start()
    while True:
        job = jobs.get()
        try:
            header, arrays = server.answer(job)
        except Exception as error:  # the boundary, as above
            header, arrays = {"op": "error", **_failure(error)}, {}
        slots.release()
        models = sorted(runtime.current().models_asked)
        answers.send({"id": job.header["id"], "models": models, **header}, arrays)


def _read_requests(requests: BinaryIO, jobs: queue.Queue[Job], slots: threading.Semaphore) -> None:
    """Read requests and begin to decode their images, one request ahead; end with the worker."""
    while True:
        slots.acquire()
        frame: Frame | None = read_frame(requests)
        if frame is None:
            os._exit(0)  # the worker is gone: nobody waits for what is running
        paths = [str(path) for path in frame.header["paths"]]
        jobs.put(Job(frame.header, paths, [start_reading(path) for path in paths]))


def _failure(error: BaseException) -> dict[str, Any]:
    """Say what a package raised: kind, message, and the end of its trace."""
    kind = "memory" if isinstance(error, MemoryError) or _ran_out(error) else "package"
    trace = "".join(traceback.format_exception(error))[-TRACE_CHARS:]
    return {
        "kind": kind,
        "error": type(error).__name__,
        "message": storable(str(error)) or type(error).__name__,
        "trace": storable(trace),
    }


def _ran_out(error: BaseException) -> bool:
    text = str(error)
    return (
        type(error).__name__ == "OutOfMemoryError"
        or "can't allocate memory" in text
        or "Unable to allocate" in text
    )


class Server:
    """A loaded package and the embedder."""

    def __init__(self, spec: dict[str, Any]) -> None:
        import torch

        self._torch = torch
        self._threads = int(spec["threads"])
        weights_dir = Path(spec["weights_dir"])
        runtime.configure(
            runtime.HostContext(
                weights=Path(spec["weights"]) if spec["weights"] else None,
                weights_dir=weights_dir,
                models_dir=Path(spec["models_dir"]) if spec["models_dir"] else None,
                model_overrides=dict(spec.get("model_overrides") or {}),
                package_dir=Path(spec["package_dir"]),
                parameters=spec["parameters"],
                device=spec["device"],
            )
        )
        device = runtime.detect_device()
        torch.set_num_threads(self._threads)
        if not device.startswith("cuda") and spec["memory_limit_mb"]:
            limits.limit_memory(int(spec["memory_limit_mb"]))
        if spec["uses_ultralytics"]:
            from engine.models.assets import answer_ultralytics

            answer_ultralytics(weights_dir)
        self.embedder: CropEmbedder = load_embedder(
            spec["embedder"], weights_dir=Path(spec["embedder_dir"]), device=device
        )
        request = {"parameters": spec["parameters"], "weights": spec["weights"]}
        self.pipeline: Pipeline = load_pipeline(Path(spec["package_dir"]), request)
        self.features = vector_features(self.pipeline.features)
        self.pipeline.warm()
        self.info = {
            "device": device,
            "class_names": self.pipeline.class_names(),
            "embedder": self.embedder.describe(),
            "libraries": _libraries(),
            "models": sorted(runtime.current().models_asked),
        }

    def answer(self, job: Job) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Answer one request: `detect` runs the package, `embed` and `embed_texts` only embed what is given."""
        self._torch.set_num_threads(self._threads)  # ultralytics lowers it
        if job.header["op"] == "embed_texts":
            texts = [str(text) for text in job.header["texts"]]
            return {"op": "embed_texts"}, {"text_embedding": self.embedder.embed_texts(texts)}
        images, outcomes = _decoded(job)
        if job.header["op"] == "detect":
            self._detect(job, images, outcomes)
        else:
            for outcome, boxes in zip(outcomes, job.header["boxes"], strict=True):
                if outcome.error is None:
                    outcome.rows = [dict(zip("xywh", map(float, box), strict=True)) for box in boxes]
        wanted = job.header.get("embed", True)
        crops = self._embed(images, outcomes) if wanted else self.embedder.embed([])
        return _packed(job.header["op"], outcomes, crops, [feature.name for feature in self.features])

    def _detect(self, job: Job, images: list[Image.Image | None], outcomes: list[ImageOutcome]) -> None:
        good = [number for number, image in enumerate(images) if image is not None]
        if not good:
            return
        ahead = runtime.current().prefetched
        ahead.clear()
        ahead.update(zip(job.paths, job.decoding, strict=True))
        try:
            self._run(job.paths, good, outcomes)
        finally:
            ahead.clear()

    def _run(self, paths: list[str], numbers: list[int], outcomes: list[ImageOutcome]) -> None:
        """Run the package over some images; if it raises, find by halves which image it is."""
        try:
            frame = self.pipeline.run([paths[number] for number in numbers])
        except MemoryError:
            raise
        except Exception as error:  # a package's own error: an image's, unless every image has it
            if len(numbers) == 1 or _ran_out(error):
                raise
            failures = [
                failure for number in numbers if (failure := self._run_single(paths, number, outcomes))
            ]
            if len(failures) == len(numbers):
                raise
            return
        columns = {
            feature.name: list(frame[feature.name]) for feature in self.features if feature.name in frame
        }
        for place, (number, raw) in enumerate(zip(numbers, frame["detections"], strict=True)):
            values = {name: column[place] for name, column in columns.items()}
            _fill(outcomes[number], raw, values, self.features)

    def _run_single(self, paths: list[str], number: int, outcomes: list[ImageOutcome]) -> str | None:
        try:
            self._run(paths, [number], outcomes)
        except Exception as error:  # as above
            outcomes[number].error = storable(f"the package raised {type(error).__name__}: {error}")
        return outcomes[number].error

    def _embed(
        self, images: Sequence[Image.Image | None], outcomes: list[ImageOutcome]
    ) -> NDArray[np.float16]:
        """Embed the crops of all images together; give (all boxes, 512)."""
        crops: list[Pixels] = []
        for image, outcome in zip(images, outcomes, strict=True):
            if image is None or not outcome.rows or outcome.error is not None:
                continue
            pixels = np.asarray(image)
            crops += [crop_box(pixels, (row["x"], row["y"], row["w"], row["h"])) for row in outcome.rows]
        vectors: NDArray[np.float16] = self.embedder.embed(crops)
        return vectors


def _decoded(job: Job) -> tuple[list[Image.Image | None], list[ImageOutcome]]:
    """Wait for the images; an unreadable one is None and its outcome says why."""
    images: list[Image.Image | None] = []
    outcomes = []
    for future in job.decoding:
        try:
            image = future.result()
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            images.append(None)
            outcomes.append(ImageOutcome(error=storable(f"the image cannot be read: {error}")))
        else:
            images.append(image)
            outcomes.append(ImageOutcome(width=image.width, height=image.height))
    return images, outcomes


def _fill(outcome: ImageOutcome, raw: Any, values: dict[str, Any], features: list[VectorFeature]) -> None:
    """Check what the package gave for one image; what is wrong fails this image alone."""
    try:
        rows, order = check_detections(raw, width=outcome.width, height=outcome.height)
        missing = [feature.name for feature in features if feature.name not in values]
        if missing:
            raise BadOutput(f"the pipeline returned no column {missing[0]!r}, which the manifest names")
        outcome.vectors = {
            feature.name: check_vectors(values[feature.name], feature, order) for feature in features
        }
        outcome.rows = rows
    except BadOutput as error:
        outcome.error = str(error)


def _packed(
    op: str, outcomes: list[ImageOutcome], crops: NDArray[np.float16], names: list[str]
) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Make the answer: rows in the header, all images' vectors stacked in the payload."""
    images = [
        {
            "width": outcome.width,
            "height": outcome.height,
            "error": outcome.error,
            "rows": outcome.rows if outcome.error is None else [],
            "vectors": {name: len(value) for name, value in outcome.vectors.items()},
        }
        for outcome in outcomes
    ]
    arrays: dict[str, NDArray[Any]] = {"crop_embedding": crops}
    for name in names:
        parts = [outcome.vectors[name] for outcome in outcomes if name in outcome.vectors]
        if parts:
            arrays[f"feature:{name}"] = np.concatenate(parts)
    return {"op": op, "images": images}, arrays


def _libraries() -> dict[str, str]:
    """Give the versions of what computes."""
    from importlib.metadata import PackageNotFoundError, version

    found = {}
    for name in ("torch", "ultralytics", "pillow", "numpy"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
