"""Which weights a run starts from, kept by their hash, so that they stay what they were."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings

from extraction.intake.models import Blob
from extraction.packages import registry_files
from extraction.packages.builtin.weights import WeightsMissing, resolve_weights
from extraction.packages.files import keep_file
from extraction.packages.models import ExtractorVersion, RegistryModel
from extraction.packages.queries import get_model, models_needed
from mixcv.kernel import storage
from mixcv.kernel.errors import NotFound
from review.training.errors import NoBaseWeights, NotADetector

_ENDINGS = (".pt", ".pth")
_BEGINNINGS = (b"PK", b"\x80")


def base_weights_of(version: ExtractorVersion, named: str = "") -> tuple[str, Blob]:
    """Name and bytes of what a run on this version starts from.

    The version's own weights; where its package loads them itself, the one model of the registry that it loads, or
    `named`: a file of the weights folder or a deployed model. Raises NoBaseWeights, NotADetector, WeightsMissing.
    """
    if version.weights is not None:
        if named and named != version.weights_name:
            raise NoBaseWeights(
                f"{version} has weights of its own ({version.weights_name}), which a run starts from. Leave "
                "base_weights out, or register a version with other weights.",
                field="base_weights",
            )
        _check(storage.local_path(version.weights.storage_name), version.weights_name or "weights.pt")
        return version.weights_name, version.weights
    if version.weights_name and not named:
        raise NoBaseWeights(
            f"The weights {version.weights_name} of {version} are not here yet. Deploy the version first.",
            field="base_version",
        )
    named = named or _only_model(version)
    path = _file(version, named)
    _check(path, path.name)
    return named, keep_file(namespace=version.extractor.namespace, path=path)


def _only_model(version: ExtractorVersion) -> str:
    """The id of the one model that the version loads from the registry. Raises NoBaseWeights."""
    used = models_loaded(version)
    if len(used) == 1:
        return used[0]
    why = f"It loads {', '.join(used)} of the registry." if used else "Its package loads weights by itself."
    raise NoBaseWeights(
        f"{version} says not which weights to start from. {why} Name them by base_weights: a file of the weights "
        "folder such as yolov8m.pt, or a deployed model of the registry.",
        field="base_weights",
    )


def models_loaded(version: ExtractorVersion) -> list[str]:
    """Ids of the registry's models that the version's code names or its hosts loaded."""
    loaded = version.model_uses.order_by("pk").values_list("model__public_id", flat=True)
    return list(dict.fromkeys([*models_needed(version), *loaded]))


def _file(version: ExtractorVersion, named: str) -> Path:
    """The file of a name: of a deployed model, else of the weights folder or among those that ship."""
    try:
        model = get_model(version.extractor.namespace, named)
    except NotFound:
        try:
            return resolve_weights(named, settings.MIXCV_WEIGHTS)
        except WeightsMissing as error:
            raise WeightsMissing(
                f"{error.message} A deployed model of the registry may be named as well.",
                field="base_weights",
            ) from None
    if model.state != RegistryModel.State.DEPLOYED:
        raise NoBaseWeights(
            f"The model {model.public_id} is {model.state}. Deploy it first.", field="base_weights"
        )
    found = [str(one["path"]) for one in registry_files.lay_out(model) if str(one["path"]).endswith(_ENDINGS)]
    best = [one for one in found if Path(one).name == "best.pt"]
    if len(best or found) != 1:
        raise NotADetector(
            f"The model {model.public_id} has {len(found)} weights files of PyTorch; one, or one called best.pt, "
            "is wanted.",
            field="base_weights",
        )
    return registry_files.models_folder(model.namespace_id) / model.public_id / (best or found)[0]


def _check(path: Path, name: str) -> None:
    """Whether the file can be weights of PyTorch at all; only the training process loads it."""
    with path.open("rb") as file:
        begin = file.read(2)
    if not name.endswith(_ENDINGS) or not begin.startswith(_BEGINNINGS):
        raise NotADetector(
            f"{name} is not a detector's weights: a .pt file of ultralytics is wanted.", field="base_weights"
        )
