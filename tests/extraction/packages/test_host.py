"""A real host process and what packages do to it."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

import numpy as np
import psutil
import pytest

from extraction.packages.host import client
from extraction.packages.host.client import Host, sweep
from extraction.packages.host.errors import (
    HostClosed,
    HostCrashed,
    HostError,
    HostOutOfMemory,
    HostTimeout,
    PackageError,
)
from extraction.packages.host.pool import HostPool
from extraction.packages.host.spec import HostSpec
from tests.extraction.packages import packages

ROOT = Path(__file__).resolve().parents[3]
Picture = Callable[[str], Path]
Specs = Callable[..., HostSpec]


def test_it_gives_detections_by_falling_confidence_with_their_vectors(
    fickle_host: Host, picture: Picture
) -> None:
    (result,) = fickle_host.submit([picture("plain")]).result()
    assert (result.width, result.height, result.error) == (100, 80, None)
    assert [(row.class_name, row.confidence, row.x) for row in result.detections] == [
        ("thing", 0.9, 70),
        ("thing", 0.3, 50),
    ]
    assert result.detections[0].extra == {"note": "kept"}
    assert result.vectors["look"].dtype == np.float16
    assert np.allclose(
        result.vectors["look"], [[2 / 5**0.5, 0, 0, 1 / 5**0.5], [0.5**0.5, 0, 0, 0.5**0.5]], atol=1e-3
    )
    assert result.crop_embedding.shape == (2, 512)
    assert np.allclose(np.linalg.norm(result.crop_embedding.astype(np.float32), axis=1), 1, atol=1e-2)


def test_it_takes_one_vector_per_image(fickle_host: Host, picture: Picture) -> None:
    (result,) = fickle_host.submit([picture("one")]).result()
    assert np.allclose(result.vectors["look"], [[0.6, 0, 0.8, 0]], atol=1e-3)


def test_it_marks_a_zero_vector(fickle_host: Host, picture: Picture) -> None:
    (result,) = fickle_host.submit([picture("zero")]).result()
    assert np.isnan(result.vectors["look"]).all(axis=1).tolist() == [False, True]


def test_it_clips_boxes_to_the_image(fickle_host: Host, picture: Picture) -> None:
    (result,) = fickle_host.submit([picture("over")]).result()
    (found,) = result.detections
    assert (found.x, found.y, found.w, found.h) == (10, 40, 20, 10)


def test_it_stores_nothing_for_an_image_without_detections(fickle_host: Host, picture: Picture) -> None:
    (result,) = fickle_host.submit([picture("none")]).result()
    assert result.detections == []
    assert result.crop_embedding.shape == (0, 512)
    assert result.vectors["look"].shape == (0, 4)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nan", "detection 0: bbox.x must be finite, not nan"),
        ("flat", "has no area within the image of 100×80"),
        ("away", "has no area within the image of 100×80"),
        ("list", "detections must be a list for every image, not str"),
        ("three", "look holds 3 vectors for 2 detections"),
        ("dims", "look must have 4 dimensions"),
        ("raise", "the package raised RuntimeError: this image is not to my liking"),
        ("missing", "the image cannot be read"),
        ("torn", "the image cannot be read"),
    ],
)
def test_a_fault_fails_its_image_alone(fickle_host: Host, picture: Picture, name: str, said: str) -> None:
    guilty = picture(name)
    if name == "missing":
        guilty.unlink()
    if name == "torn":
        guilty.write_bytes(guilty.read_bytes()[:300])
    before, bad, after = fickle_host.submit([picture("plain-1"), guilty, picture("plain-2")]).result()
    assert bad.error is not None
    assert said in bad.error
    assert bad.detections == []
    for good in (before, after):
        assert (good.error, len(good.detections), len(good.crop_embedding)) == (None, 2, 2)


def test_an_error_on_every_image_is_the_packages(fickle_host: Host, picture: Picture) -> None:
    with pytest.raises(PackageError, match="not to my liking"):
        fickle_host.submit([picture("raise-1"), picture("raise-2")]).result()
    assert fickle_host.alive


def test_what_a_package_prints_does_not_reach_the_pipe(fickle_host: Host, picture: Picture) -> None:
    (result,) = fickle_host.submit([picture("print")]).result()
    assert len(result.detections) == 2
    assert "from a child process" in fickle_host.last_words


def test_it_answers_several_requests_in_order(fickle_host: Host, picture: Picture) -> None:
    futures = [fickle_host.submit([picture(name)]) for name in ("none", "plain", "over", "none")]
    assert [len(future.result()[0].detections) for future in futures] == [0, 2, 1, 0]


def test_it_embeds_given_boxes_like_a_detections_crop(fickle_host: Host, picture: Picture) -> None:
    (result,) = fickle_host.submit([picture("plain")]).result()
    boxes = [(row.x, row.y, row.w, row.h) for row in result.detections]
    good, bad = fickle_host.embed([(picture("plain"), boxes), ("nowhere.png", boxes)]).result()
    assert np.array_equal(good.crop_embedding, result.crop_embedding)
    assert bad.error is not None
    assert bad.crop_embedding.shape == (0, 512)


def test_a_crash_fails_what_waits_with_the_last_words(
    fickle_package: Path, picture: Picture, spec_for: Specs
) -> None:
    pool = HostPool(max_hosts=1)
    spec = spec_for(fickle_package)
    host = pool.get(spec)
    lost = host.submit([picture("crash")])
    waiting = host.submit([picture("plain")])
    with pytest.raises(HostCrashed, match="exit code 3") as caught:
        lost.result()
    assert "these are my last words" in caught.value.last_words
    with pytest.raises(HostCrashed):
        waiting.result()
    again = pool.get(spec)
    assert again is not host
    assert len(again.submit([picture("plain")]).result()[0].detections) == 2
    pool.close()
    with pytest.raises(HostClosed):
        again.submit([picture("plain")])


def test_a_hang_is_ended_in_time(fickle_package: Path, picture: Picture, spec_for: Specs) -> None:
    host = Host(spec_for(fickle_package, batch_timeout_s=1.5))
    host.start()
    process = psutil.Process(host.pid)
    began = time.monotonic()
    with pytest.raises(HostTimeout, match=r"more than 1\.5 s for one batch"):
        host.submit([picture("hang")]).result()
    assert time.monotonic() - began < 6
    assert not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    assert not list(host.spec.work_dir.iterdir())


def test_a_host_dies_with_its_worker(fickle_package: Path, spec_for: Specs) -> None:
    spec = spec_for(fickle_package)
    script = f"""
import time
from pathlib import Path
from extraction.packages.host.client import Host
from extraction.packages.host.spec import HostSpec
host = Host(HostSpec(*map(Path, {[str(spec.package_dir), str(spec.weights_dir), str(spec.work_dir)]!r})))
host.start()
print(host.pid, flush=True)
time.sleep(60)
"""
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as worker:
        assert worker.stdout is not None
        process = psutil.Process(int(worker.stdout.readline()))
        worker.kill()
    gone, _ = psutil.wait_procs([process], timeout=5)
    assert gone or process.status() == psutil.STATUS_ZOMBIE
    sweep(spec.work_dir)
    assert not list(spec.work_dir.iterdir())


def test_it_may_not_take_all_memory(fickle_package: Path, picture: Picture, spec_for: Specs) -> None:
    host = Host(spec_for(fickle_package, memory_limit_mb=1200))
    host.start()
    with pytest.raises(HostOutOfMemory, match="1200 MB"):
        host.submit([picture("hungry")]).result()
    host.close()


def test_a_package_sees_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, picture: Picture, spec_for: Specs
) -> None:
    for name in ("DATABASE_URL", "REDIS_URL", "AWS_SECRET_ACCESS_KEY", "MIXCV_SECRET_KEY", "PYTHONPATH"):
        monkeypatch.setenv(name, "secret-value")
    models = tmp_path / "models"
    (models / "other_1_0_0").mkdir(parents=True)
    (models / "other_1_0_0" / "best.pt").touch()
    (models / "other_1_0_0" / "last.pt").touch()
    package = packages.write_package(tmp_path / "curious", packages.CURIOUS)
    host = Host(spec_for(package, models_dir=models))
    host.start()
    (result,) = host.submit([picture("plain")]).result()
    host.close()
    seen = result.detections[0].extra
    assert "secret-value" not in str(seen["environment"])
    assert not [
        name
        for name in seen["environment"]
        if name.startswith(("DATABASE", "REDIS", "AWS", "MIXCV", "DJANGO"))
    ]
    assert seen["environment"]["YOLO_OFFLINE"] == "true"
    assert Path(seen["cwd"]).is_relative_to(host.spec.work_dir)
    assert seen["model"].endswith("other_1_0_0/best.pt")


def test_a_broken_package_says_so_at_the_start(tmp_path: Path, spec_for: Specs) -> None:
    package = packages.write_package(tmp_path / "broken", "steps = []\n")
    with pytest.raises(PackageError, match="must define build_steps"):
        Host(spec_for(package)).start()


NAMED = """
class Model:
    names = {names}

class Step:
    def get_model(self):
        return Model()

    def __call__(self, batch):
        return batch

def build_steps(**kwargs):
    return {{"steps": [Step()], "prepare": lambda batch: batch}}
"""


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ({"a": "cat"}, "must stand by index 0, 1, …, not 'a'"),
        ({0: " "}, "class 0 must be a name"),
        ({0: "x" * 201}, "class 0 has 201 characters"),
        ({0: "a\0b"}, "class 0 has a NUL"),
    ],
)
def test_class_names_that_cannot_be_kept_fail_the_start(
    tmp_path: Path, spec_for: Specs, names: dict[object, str], said: str
) -> None:
    package = packages.write_package(tmp_path / "named", NAMED.format(names=repr(names)))
    with pytest.raises(PackageError) as caught:
        Host(spec_for(package)).start()
    assert said in str(caught.value)


# A host that says what no host should.
LIAR = """
import json, struct, sys

def say(**header):
    body = json.dumps({{**header, "arrays": []}}).encode()
    sys.stdout.buffer.write(struct.pack("<4sIQ", b"mxcv", len(body), 0) + body)
    sys.stdout.buffer.flush()

ready = {{"device": "cpu", "class_names": {{}}, "embedder": {{}}, "libraries": {{}}}}
{lie}
sys.stdin.buffer.read()
"""


@pytest.mark.parametrize(
    "lie",
    [
        'say(op="ready", info={**ready, "class_names": {"a": "cat"}})',
        'say(op="ready", info={})',
        'say(op="result", id=99)',
        "say()",
    ],
)
def test_a_start_that_cannot_be_read_ends_the_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fickle_package: Path, spec_for: Specs, lie: str
) -> None:
    entry = tmp_path / "liar.py"
    entry.write_text(LIAR.format(lie=lie))
    monkeypatch.setattr(client, "ENTRY", entry)
    host = Host(spec_for(fickle_package, start_timeout_s=5.0))
    with pytest.raises(HostCrashed, match="spoke out of turn"):
        _within(10, host.start)
    assert not host.alive
    assert not list(host.spec.work_dir.iterdir())


def test_an_answer_to_no_request_fails_what_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fickle_package: Path, spec_for: Specs
) -> None:
    entry = tmp_path / "liar.py"
    lie = 'say(op="ready", info=ready)\nsys.stdin.buffer.read(1)\nimport time; time.sleep(0.5)\nsay(op="result", id=99)'
    entry.write_text(LIAR.format(lie=lie))
    monkeypatch.setattr(client, "ENTRY", entry)
    host = Host(spec_for(fickle_package, batch_timeout_s=5.0))
    _within(10, host.start)
    lost = host.submit([])
    with pytest.raises(HostCrashed, match="spoke out of turn"):
        lost.result(timeout=4)


def _within(seconds: float, call: Callable[[], object]) -> object:
    """The call's result; a call that blocks is a failure, not a hang."""
    done: Future[object] = Future()

    def run() -> None:
        try:
            done.set_result(call())
        except HostError as error:
            done.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return done.result(timeout=seconds)
