"""Starting a run: what it records, and everything that is refused, in words."""

from __future__ import annotations

from collections import namedtuple

import pytest

from extraction.packages.builtin.weights import WeightsMissing
from extraction.packages.domain import RegistryFull, register_model
from extraction.packages.files import keep_file
from extraction.packages.models import ExtractorVersion, RegistryModel
from mixcv.kernel.errors import Conflict, InvalidInput, NotFound
from mixcv.kernel.models import Event
from review.datasets.domain import NoCompleteImage, delete_version
from review.datasets.models import DatasetItem
from review.training import domain, folder
from review.training.errors import DiskFull, NoBaseWeights, NotADetector, OtherClasses
from review.training.models import TrainingRun
from review.training.settings import Settings, read_settings
from tests import factories as make
from tests.review.datasets.building import INES
from tests.review.training.runs import base_version, start, trainable, weights_file

pytestmark = pytest.mark.django_db
Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def ground(tmp_path):
    return trainable(tmp_path)


def test_it_records_what_it_will_do_and_waits(ground):
    version, dataset_version = ground
    run = start(version, dataset_version)
    assert (run.phase, run.job.state, run.job.kind) == ("waiting", "PENDING", "training")
    assert run.settings == {
        "epochs": 2,
        "batch": 2,
        "device": "auto",
        "patience": 15,
        "freeze": 0,
        "seed": 0,
        "augmentation": "light",
        "image_size": 320,
    }
    assert run.counts == {
        "train": 3,
        "val": 1,
        "validation": "image",
        "holdout": 2,
        "boxes": 12,
        "classes": 3,
    }
    assert (run.base_weights, run.base_blob) == ("base.pt", version.weights)
    assert run.job.total == 2 * 2
    assert Event.objects.get(subject=run.public_id).type == "training_run.started"
    assert domain.lost_runs() == []
    TrainingRun.objects.update(created_at=version.created_at.replace(year=2020))
    assert domain.lost_runs() == [run.pk]


def test_a_base_of_another_extractor_is_refused(ground, tmp_path):
    _, dataset_version = ground
    other = base_version(dataset_version.dataset.namespace, tmp_path, name="cells")
    with pytest.raises(OtherClasses, match=r"numbers its classes as yolo_detector does; cells 1\.0\.0"):
        start(other, dataset_version)


def test_what_is_of_another_namespace_is_not_there(ground, tmp_path):
    version, dataset_version = ground
    other = base_version(make.make_namespace("other"), tmp_path)
    with pytest.raises(NotFound, match="dataset version is in another namespace"):
        start(other, dataset_version)
    dataset_version.dataset.namespace = other.extractor.namespace
    with pytest.raises(NotFound, match="base version is in another namespace"):
        domain.start_run(
            namespace=other.extractor.namespace,
            dataset_version=dataset_version,
            base_version=version,
            by=INES,
        )


def test_all_faults_of_the_settings_are_told_at_once():
    wrong = {
        "epochs": 0,
        "image_size": 100,
        "batch": 0,
        "augmentation": "wild",
        "device": "tpu",
        "freeze": -1,
    }
    with pytest.raises(InvalidInput) as refused:
        read_settings({**wrong, "patience": "long", "seed": True, "speed": 1})
    assert len(refused.value.details["faults"]) == 9
    for word in (*wrong, "patience", "seed", "speed"):
        assert word in refused.value.message


@pytest.mark.parametrize(
    ("device", "refused"), [("cpu", True), ("mps", True), ("cuda:0", False), ("auto", False)]
)
def test_only_cuda_chooses_its_batch(device, refused, settings):
    settings.MIXCV_DEVICE = "auto"
    if refused:
        with pytest.raises(InvalidInput, match="which only a CUDA device can choose"):
            read_settings({"batch": -1, "device": device})
    else:
        assert read_settings({"batch": -1, "device": device}).batch == -1


def test_wrong_settings_are_refused_by_the_verb_as_well(ground):
    with pytest.raises(InvalidInput, match="epochs is 2000"):
        start(*ground, epochs=2000)


def test_it_needs_an_image_to_train_and_one_to_choose_by(ground):
    version, dataset_version = ground
    DatasetItem.objects.filter(dataset_version=dataset_version, split="train").update(
        holdout=True, split="val"
    )
    with pytest.raises(NoCompleteImage, match="has no images outside the holdout"):
        start(version, dataset_version)
    one = DatasetItem.objects.filter(dataset_version=dataset_version).first()
    DatasetItem.objects.filter(pk=one.pk).update(holdout=False, split="train")
    with pytest.raises(NoCompleteImage, match="has 1 image outside the holdout"):
        start(version, dataset_version)


def test_a_run_that_does_not_fit_the_disk_is_refused(ground, monkeypatch):
    monkeypatch.setattr(folder.shutil, "disk_usage", lambda place: Usage(10**9, 10**9, 10**6))
    with pytest.raises(DiskFull, match=r"needs about 0\.3 GB .* has 0\.0 GB free"):
        start(*ground)


def test_a_full_registry_is_refused_before_anything_is_trained(ground, settings):
    settings.MIXCV_MAX_MODELS = 0
    with pytest.raises(RegistryFull, match="could not be kept"):
        start(*ground)


class TestBaseWeights:
    """Which weights stand for the base, and which cannot."""

    @pytest.fixture
    def bare(self, ground):
        """The base without weights of its own, as of a package that loads them itself."""
        version, dataset_version = ground
        version.weights, version.weights_name = None, ""
        version.save()
        return version, dataset_version

    def begin(self, bare, named=""):
        version, dataset_version = bare
        return domain.start_run(
            namespace=version.extractor.namespace,
            dataset_version=dataset_version,
            base_version=version,
            settings=Settings(epochs=1),
            base_weights=named,
            by=INES,
        )

    def model(self, version, path, *, name="street-model", state="deployed"):
        row = register_model(
            namespace=version.extractor.namespace,
            name=name,
            version="1.0.0",
            archive=keep_file(namespace=version.extractor.namespace, path=path),
            file_name=path.name,
        )
        RegistryModel.objects.filter(pk=row.pk).update(state=state)
        return row

    def test_nothing_says_what_to_start_from(self, bare):
        with pytest.raises(NoBaseWeights, match=r"loads weights by itself\. Name them by base_weights"):
            self.begin(bare)

    def test_a_file_of_the_weights_folder_may_be_named(self, bare, settings, tmp_path):
        settings.MIXCV_WEIGHTS = tmp_path / "weights"
        weights_file(settings.MIXCV_WEIGHTS, "yolov8m.pt")
        run = self.begin(bare, "yolov8m.pt")
        assert run.base_weights == "yolov8m.pt"
        assert run.base_blob.size == (settings.MIXCV_WEIGHTS / "yolov8m.pt").stat().st_size

    def test_a_file_that_is_not_there_is_named_with_its_folder(self, bare, settings, tmp_path):
        settings.MIXCV_WEIGHTS = tmp_path / "weights"
        with pytest.raises(WeightsMissing, match=rf"Put best\.pt into {settings.MIXCV_WEIGHTS}.*registry"):
            self.begin(bare, "best.pt")

    @pytest.mark.parametrize("name", ["model.onnx", "notes.pt"])
    def test_a_file_that_is_no_weights_of_pytorch_is_refused(self, bare, settings, tmp_path, name):
        settings.MIXCV_WEIGHTS = tmp_path
        (tmp_path / name).write_bytes(b"\x08hello")
        with pytest.raises(NotADetector, match=f"{name} is not a detector's weights"):
            self.begin(bare, name)

    def test_the_one_model_that_the_package_loads_is_taken(self, bare, tmp_path):
        version, _ = bare
        self.model(version, weights_file(tmp_path / "in", "best.pt", "model"))
        version.models_named = ["street-model_1_0_0"]
        version.save()
        assert self.begin(bare).base_weights == "street-model_1_0_0"

    def test_a_model_that_is_not_deployed_is_refused(self, bare, tmp_path):
        self.model(bare[0], weights_file(tmp_path / "in", "best.pt"), state="registered")
        with pytest.raises(NoBaseWeights, match=r"street-model_1_0_0 is registered\. Deploy it first"):
            self.begin(bare, "street-model")

    def test_weights_that_the_version_has_are_not_replaced(self, ground):
        with pytest.raises(NoBaseWeights, match=r"has weights of its own \(base\.pt\)"):
            self.begin(ground, "yolov8m.pt")

    def test_weights_that_were_never_fetched_are_told(self, bare):
        ExtractorVersion.objects.filter(pk=bare[0].pk).update(weights_name="yolov8n.pt")
        bare[0].refresh_from_db()
        with pytest.raises(NoBaseWeights, match="Deploy the version first"):
            self.begin(bare)


def test_a_dataset_version_that_was_trained_on_stays(ground):
    version, dataset_version = ground
    start(version, dataset_version)
    with pytest.raises(Conflict, match="1 training run rests on, so it stays"):
        delete_version(version=dataset_version, by=INES)
    assert dataset_version.items.count() == 6
