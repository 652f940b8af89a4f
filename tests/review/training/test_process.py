"""The training process's own parts, and the pipe to it."""

from __future__ import annotations

import json
import os
from types import SimpleNamespace

import pytest
import torch

from review.training import client
from review.training.client import TrainingProcess
from review.training.errors import TrainingFailed
from review.training.process import trainer
from review.training.process.faults import Fault, fault_of
from review.training.process.recipe import AUGMENTATIONS, arguments
from review.training.process.widening import check_names, load_detector, widen
from review.training.process.work import _stopped_early
from review.training.settings import Settings

SETTINGS = {**Settings().as_json(), "image_size": 256}


def tiny(config: str, classes: int):
    from ultralytics.nn.tasks import DetectionModel, yaml_model_load

    body = yaml_model_load(config)
    body["scales"] = {"n": [0.33, 0.125, 256]}
    body["scale"], body["nc"] = "n", classes
    torch.manual_seed(1)
    model = DetectionModel(body, nc=classes, verbose=False).eval()
    model.names = {n: f"class {n}" for n in range(classes)}
    return model


def raw(model, picture):
    """Raw scores by branch, `(1, classes, anchors)`."""
    with torch.no_grad():
        answer = model(picture)[1]
    branches = {"one2many": answer} if "scores" in answer else answer
    return {name: found["scores"] for name, found in branches.items()}


@pytest.mark.parametrize("config", ["yolov8n.yaml", "yolo11n.yaml", "yolov10n.yaml", "yolo26n.yaml"])
def test_old_classes_score_the_same_and_new_ones_low(config):
    model = tiny(config, 7)
    picture = torch.rand(1, 3, 128, 128)
    before = raw(model, picture)
    widen(model, [f"class {n}" for n in range(7)] + ["seven", "eight", "nine"])
    after = raw(model, picture)
    assert set(after) == set(before)
    for branch, scores in after.items():
        assert scores.shape[1] == 10
        assert torch.equal(scores[:, :7], before[branch])
        assert scores[:, 7:].sigmoid().max() < 0.05
    head = model.model[-1]
    assert (head.nc, head.no, model.nc, model.yaml["nc"]) == (10, 10 + head.reg_max * 4, 10, 10)
    assert model.names[9] == "nine"


def test_a_long_validation_is_not_taken_for_silence(monkeypatch, tmp_path):
    said: list = []
    run = SimpleNamespace(args=SimpleNamespace(project=tmp_path))
    teller = trainer._Teller(run, [], SimpleNamespace(say=lambda op, **values: said.append(op)))
    now = teller.told
    monkeypatch.setattr(trainer.time, "monotonic", lambda: now)
    for seconds in (1, 59, 61, 62, 130):
        now = teller.began + seconds
        teller.validates(None)
    assert said == ["alive", "alive"]


def test_more_classes_than_the_hidden_width_was_made_for_keep_the_width():
    model = tiny("yolov8n.yaml", 7)
    width = model.model[-1].cv3[0][-1].in_channels
    widen(model, [str(n) for n in range(200)])
    assert model.model[-1].cv3[0][-1].in_channels == width
    assert raw(model, torch.rand(1, 3, 64, 64))["one2many"].shape[1] == 200


def test_as_many_classes_change_nothing_and_fewer_are_refused():
    model = tiny("yolov8n.yaml", 3)
    before = model.model[-1].cv3[0][-1]
    widen(model, ["a", "b", "c"])
    assert model.model[-1].cv3[0][-1] is before
    with pytest.raises(Fault, match="know 3 classes and the dataset 2"):
        widen(model, ["a", "b"])


def test_classes_that_are_not_the_extractors_are_refused_by_index():
    model = tiny("yolov8n.yaml", 3)
    check_names(model, [["class 0"], ["new name", "class 1"], ["class 2"], ["another"]])
    with pytest.raises(
        Fault, match="Class 1 of the base weights is 'class 1', but the extractor has 'bus' at 1"
    ):
        check_names(model, [["class 0"], ["bus"], ["class 2"]])
    with pytest.raises(Fault, match="has no class at 2"):
        check_names(model, [["class 0"], ["class 1"]])


def test_files_that_are_no_detector_are_refused(tmp_path):
    broken = tmp_path / "broken.pt"
    broken.write_bytes(b"PK nothing")
    with pytest.raises(Fault, match=r"broken\.pt cannot be read as weights"):
        load_detector(broken)
    from ultralytics.nn.tasks import ClassificationModel, SegmentationModel

    for name, model in (
        ("sorter.pt", ClassificationModel("yolov8n-cls.yaml", nc=3, verbose=False)),
        ("outlines.pt", SegmentationModel("yolov8n-seg.yaml", nc=3, verbose=False)),
    ):
        torch.save({"epoch": -1, "model": model, "train_args": {}}, tmp_path / name)
        with pytest.raises(Fault, match=f"{name} is not a detector"):
            load_detector(tmp_path / name)


def test_flips_are_for_those_who_ask_for_them():
    flips = {name: one["fliplr"] for name, one in AUGMENTATIONS.items()}
    assert flips == {"none": 0.0, "light": 0.0, "normal": 0.5, "strong": 0.5}
    assert all("flipud" not in one for one in AUGMENTATIONS.values())


@pytest.mark.parametrize(
    ("device", "batch", "expected"),
    # CUDA alone chooses a batch and computes in mixed precision.
    [("cpu", 4, (4, 4, False, 0)), ("cpu", -1, (8, 8, False, 0)), ("cuda:0", -1, (-1, 64, True, 4))],
)
def test_settings_become_arguments(device, batch, expected):
    found = arguments({**SETTINGS, "batch": batch}, device=device, images=80, parameters=900_000)
    assert (found["batch"], found["nbs"], found["amp"], found["workers"]) == expected
    assert found["cache"] == "ram"
    assert found["lr0"] == 0.004
    large = arguments(SETTINGS, device="cpu", images=10**6, parameters=3 * 10**6)
    assert (large["cache"], large["lr0"]) == (False, 0.002)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (RuntimeError("CUDA out of memory. Tried to allocate"), "memory"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"), "memory"),
        (MemoryError(), "memory"),
        (RuntimeError("Training failed: NaN persisted for 4 epochs"), "numbers"),
        (ValueError("odd"), "broken"),
    ],
)
def test_errors_become_words(error, kind):
    fault = fault_of(error)
    assert fault.kind == kind
    assert fault.message.endswith((".", "odd"))


def test_a_run_that_had_stopped_early_does_not_go_on():
    history = [{"number": n, "best": n == 2} for n in range(1, 6)]
    assert _stopped_early(history, 3)
    assert not _stopped_early(history, 4)
    assert not _stopped_early(history, 0)


ECHO = """
import json, os, signal, sys
asked = json.loads(sys.stdin.readline())
print("noise that is no message")
print(json.dumps({"op": "ready", "secret": os.environ.get("DATABASE_URL"), "seen": sorted(os.environ)}))
sys.stdout.flush()
if asked["how"] == "kill":
    os.kill(os.getpid(), signal.SIGKILL)
if asked["how"] == "wait":
    sys.stdin.read()
print("it hurts", file=sys.stderr)
sys.exit(3)
"""


@pytest.fixture
def talk(tmp_path, monkeypatch):
    entry = tmp_path / "entry.py"
    entry.write_text(ECHO)
    monkeypatch.setattr(client, "ENTRY", entry)
    monkeypatch.setenv("DATABASE_URL", "postgresql://secret")
    return lambda how: TrainingProcess({"folder": str(tmp_path), "how": how})


def test_the_process_sees_no_secret(talk):
    with talk("wait") as process:
        message = process.next(20)
        assert message is not None
        assert message["secret"] is None
        assert not [name for name in message["seen"] if name.startswith(("DJANGO", "MIXCV", "REDIS", "AWS"))]
        assert process.next(0.05) is None
        pid = process.pid
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.mark.parametrize(
    ("how", "words"),
    [("kill", "most likely because memory ran out"), ("fall", "with exit code 3. Its last words: it hurts")],
)
def test_a_process_that_ends_says_how(talk, how, words):
    with talk(how) as process:
        assert process.next(20)["op"] == "ready"
        with pytest.raises(TrainingFailed, match=words):
            process.next(20)


def test_a_request_is_one_line_of_json(talk):
    process = talk("wait")
    assert "\n" not in json.dumps(process.request)
