"""The model registry: weights under a name and version, laid out for hosts, kept while they are needed."""

from __future__ import annotations

from typing import Any

import pytest

from extraction.demo.scenes import write_scenes
from extraction.packages import domain
from extraction.packages.builtin import SHIPPED_WEIGHTS
from extraction.packages.hosts import pool, warm_host
from extraction.packages.models import Deployment, ExtractorVersion, ModelUse, RegistryModel
from extraction.packages.queries import registry_page
from extraction.packages.registry_files import models_folder
from mixcv.kernel.errors import AlreadyExists, InvalidInput
from mixcv.tenancy.actors import SYSTEM
from mixcv.tenancy.models import Namespace
from tests import factories as make
from tests.extraction.packages.archives import keep, package_zip, tar_of

pytestmark = pytest.mark.django_db
DIGITS = SHIPPED_WEIGHTS / "digits.pt"

LOADING = """
from ultralytics import YOLO
from engine.inference.services import BaseBatchInferenceService
from engine.io import parallel_io
from engine.models.lazy import LazyModelMixin
from engine.models.loader import load_namespace_model

class Detector(LazyModelMixin, BaseBatchInferenceService):
    def _instantiate_model(self, cached_data):
        assert cached_data is None
        return YOLO(load_namespace_model("yolo-detector_1_0_0")), None

    def _process_batch(self, batch):
        model, _ = self.get_model()
        batch["detections"] = [[] for _ in model(parallel_io(batch["data"].tolist()))]
        batch["look"] = [[0.0] * 4] * len(batch)
        return batch

def build_steps(**kwargs):
    return {"steps": [Detector()], "prepare": lambda ds: ds}
"""


@pytest.fixture
def namespace() -> Namespace:
    return make.make_namespace()


def register(
    namespace: Namespace, version: str = "1.0.0", data: bytes = b"", name: str = "w.tar.gz", **kwargs: Any
) -> RegistryModel:
    data = data or tar_of({"runs/weights/best.pt": DIGITS.read_bytes(), "runs/weights/last.pt": b"x"})
    archive = keep(namespace, data, name)
    return domain.register_model(
        **{
            "namespace": namespace,
            "name": "yolo-detector",
            "version": version,
            "archive": archive,
            "file_name": name,
            **kwargs,
        }
    )


def deployed(model: RegistryModel) -> RegistryModel:
    domain.bring_up_model(model=domain.deploy_model(model=model))
    model.refresh_from_db()
    return model


def test_a_model_is_known_by_its_name_and_version(namespace: Namespace) -> None:
    model = register(namespace, "v2", task_type="detection", resources={"num_gpus": 1})
    assert (model.public_id, model.version, model.state) == ("yolo-detector_2_0_0", "2.0.0", "registered")
    assert model.model_format == "pytorch"
    with pytest.raises(AlreadyExists, match=r"has a version 2\.0\.0 already"):
        register(namespace, "2.0.0")


def test_deploying_says_what_weights_it_holds(namespace: Namespace) -> None:
    model = deployed(register(namespace))
    assert (model.state, model.error) == ("deployed", "")
    assert [one["path"] for one in model.weights] == ["runs/weights/best.pt", "runs/weights/last.pt"]
    folder = models_folder(namespace.pk) / "yolo-detector_1_0_0"
    assert (folder / "runs/weights/best.pt").read_bytes() == DIGITS.read_bytes()
    again = deployed(model)
    assert again.state == "deployed"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (tar_of({"readme.txt": b"no weights"}), "holds no weights file"),
        (tar_of({"../best.pt": b"x"}), "not allowed"),
        (tar_of({"best.pt": bytes(range(256)) * 999})[:-400], "cannot be read|no weights|no .tar.gz"),
    ],
    ids=["no weights", "outside", "cut short"],  # archives carry the time
)
def test_an_archive_that_will_not_do_fails_its_deployment(
    namespace: Namespace, data: bytes, said: str
) -> None:
    import re

    model = deployed(register(namespace, data=data))
    assert model.state == "failed"
    assert re.search(said, model.error)
    assert not (models_folder(namespace.pk) / model.public_id).exists()


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("w.tar.gz", b"no archive", r"no \.tar\.gz"),
        ("w.zip", b"PK", r"sent as \.tar\.gz, or as one file"),
        ("w.pt", b"hello there", r"does not begin as a \.pt file does"),
        ("w.safetensors", b"12345678x", r"does not begin as a \.safetensors"),
        ("w.onnx", b"PK", r"does not begin as a \.onnx"),
    ],
)
def test_a_file_is_what_its_ending_says(namespace: Namespace, name: str, data: bytes, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        register(namespace, data=data, name=name)


def test_a_single_weights_file_needs_no_archive(namespace: Namespace) -> None:
    model = deployed(register(namespace, data=DIGITS.read_bytes(), name="C:\\best.pt"))
    assert (model.file_name, model.weights[0]["path"]) == ("best.pt", "best.pt")


def test_there_are_only_so_many(namespace: Namespace, settings: Any) -> None:
    settings.MIXCV_MAX_MODELS = 1
    register(namespace)
    with pytest.raises(domain.RegistryFull, match="has 1 models"):
        register(namespace, "2.0.0")


@pytest.mark.parametrize("changes", [{"name": "9 lives"}, {"name": "x"}, {"version": "new"}])
def test_what_makes_no_sense_is_refused(namespace: Namespace, changes: dict[str, str]) -> None:
    with pytest.raises(InvalidInput):
        register(namespace, **changes)


def test_an_id_given_anew_never_shows_old_weights(
    namespace: Namespace, django_capture_on_commit_callbacks: Any
) -> None:
    link = models_folder(namespace.pk) / "yolo-detector_1_0_0"
    first = deployed(register(namespace))
    with django_capture_on_commit_callbacks(execute=True):
        domain.delete_model(model=first, by=SYSTEM)
    assert not link.exists()
    deployed(register(namespace, data=tar_of({"other.onnx": b"1"})))
    assert [path.name for path in link.iterdir()] == ["other.onnx"]


def test_one_whose_message_was_lost_is_asked_for_again(namespace: Namespace) -> None:
    from datetime import timedelta

    from django.utils import timezone

    model = domain.deploy_model(model=register(namespace))
    assert domain.lost_models() == []
    with pytest.raises(domain.NotDeployable, match="already"):
        domain.deploy_model(model=model)
    RegistryModel.objects.update(asked_at=timezone.now() - timedelta(hours=1))
    assert domain.lost_models() == [model.pk]


@pytest.mark.slow
def test_a_version_loads_it_and_the_next_one_newer_weights(namespace: Namespace, tmp_path: Any) -> None:
    """From the registry through a real host, and on to the next version by one verb."""
    archive = keep(namespace, package_zip(LOADING))
    version = domain.register_package(namespace=namespace, archive=archive)
    _bring_up(version)
    assert version.state == "failed"
    assert "no deployed model 'yolo-detector_1_0_0'" in version.error
    first = deployed(register(namespace, resources={"num_gpus": 1}))
    _bring_up(version)
    assert (version.state, version.error) == ("ready", "")
    assert version.warnings == ["The model yolo-detector_1_0_0 wishes for a GPU; it runs on the CPU."]
    assert ModelUse.objects.get().model == first
    with pytest.raises(domain.InUse, match="needed by trial_1_0_0"):
        domain.delete_model(model=first, by=SYSTEM)

    second = register(namespace, "2.0.0")
    with pytest.raises(domain.NotDeployable, match="Deploy it first"):
        domain.next_version_from_model(version=version, model=second)
    following = domain.next_version_from_model(version=version, model=deployed(second))
    assert (following.public_id, following.archive) == ("trial_2_0_0", archive)
    assert following.manifest["version"] == "2.0.0"
    assert following.model_overrides == {"yolo-detector_1_0_0": "yolo-detector_2_0_0"}
    _bring_up(following)
    assert (following.state, following.error) == ("ready", "")
    assert following.model_uses.get().model == second
    third = domain.next_version_from_model(version=following, model=first, new_version="v2.1")
    assert third.model_overrides == {"yolo-detector_1_0_0": "yolo-detector_1_0_0"}

    (scene,) = write_scenes(tmp_path, split="holdout", count=1, seed=3, digits=range(7))
    hosts = [warm_host(one) for one in (version, following)]  # side by side
    assert [host.submit([scene.path]).result()[0].error for host in hosts] == [None, None]
    domain.retire(version=following, by=SYSTEM)
    domain.delete_model(model=second, by=SYSTEM)
    pool().close()


def test_a_package_that_loads_no_model_gets_no_version_from_one(namespace: Namespace) -> None:
    version = domain.register_package(namespace=namespace, archive=keep(namespace, package_zip()))
    with pytest.raises(domain.LoadsNoModel, match="loads no model of the registry"):
        domain.next_version_from_model(version=version, model=deployed(register(namespace)))


def _bring_up(version: ExtractorVersion) -> None:
    deployment = domain.deploy(version=version)
    rows = Deployment.objects.select_related("extractor_version__extractor__namespace")
    domain.bring_up(deployment=rows.get(pk=deployment.pk))
    version.refresh_from_db()


def test_weights_of_a_version_in_use_are_needed(namespace: Namespace) -> None:
    """What a training run registers is the very file that its version runs with."""
    model = deployed(register(namespace, data=DIGITS.read_bytes(), name="best.pt"))
    version = domain.register_version(
        namespace=namespace, extractor="digits", version="2.0.0", weights_path=DIGITS
    )
    ExtractorVersion.objects.filter(pk=version.pk).update(state="ready")
    with pytest.raises(domain.InUse, match="needed by digits_2_0_0"):
        domain.delete_model(model=model, by=SYSTEM)
    (row,) = registry_page(namespace)
    assert (row.users, row.candidates) == ([version], [])
