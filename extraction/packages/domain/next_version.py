"""The next version of an extractor from newer weights of the registry: the same code, another model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.db import transaction

from extraction.intake.models import Blob
from extraction.packages import registry_files
from extraction.packages.domain import deploying
from extraction.packages.domain.errors import NotDeployable
from extraction.packages.domain.registering import create_version
from extraction.packages.files import keep_file
from extraction.packages.manifest import normal_version
from extraction.packages.models import ExtractorVersion, RegistryModel
from mixcv.kernel.errors import Conflict
from mixcv.tenancy.actors import SYSTEM, Actor


class LoadsNoModel(Conflict):
    """The package loads no model of the registry that these weights could stand for."""

    code = "loads_no_model"


def next_version_from_model(
    *,
    version: ExtractorVersion,
    model: RegistryModel,
    new_version: str | None = None,
    deploy: bool = False,
    by: Actor = SYSTEM,
) -> ExtractorVersion:
    """A version like `version` that loads `model` where its code names an older one; `deploy` asks for its start too.

    Without `new_version` it is the next major one that is free. The code stays as it is: the host is told which model
    stands for which; a built-in package is given the model's file as its weights. Raises NotDeployable where the
    model is not deployed, LoadsNoModel, AlreadyExists.
    """
    if model.state != RegistryModel.State.DEPLOYED:
        raise NotDeployable(f"The model {model.public_id} is {model.state}. Deploy it first.")
    built_in = version.archive_id is None and bool(version.weights_name)
    overrides = dict(version.model_overrides)
    if not built_in:
        overrides |= dict.fromkeys(_replaced(version, model), model.public_id)
    chosen = normal_version(new_version) if new_version else next_number(version)
    fields: dict[str, Any] = {
        "package": version.package,
        "archive": version.archive,
        "manifest": {**version.manifest, "version": chosen},
        "weights": _weights_of(model) if built_in else version.weights,
        "weights_name": f"{model.public_id}.pt" if built_in else version.weights_name,
        "parameters": version.parameters,
        "models_named": version.models_named,
        "model_overrides": overrides,
    }
    extractor = version.extractor
    with transaction.atomic():
        row = create_version(
            extractor.namespace, extractor.name, chosen, fields, description=extractor.description, by=by
        )
        if deploy:
            deploying.deploy(version=row, by=by)
    return row


def _weights_of(model: RegistryModel) -> Blob:
    """The model's one weights file of PyTorch, or the one called best.pt. Raises LoadsNoModel."""
    found = [Path(str(one["path"])) for one in registry_files.lay_out(model)]
    found = [one for one in found if one.suffix in {".pt", ".pth"}]
    chosen = [one for one in found if one.name == "best.pt"] or found
    if len(chosen) != 1:
        raise LoadsNoModel(
            f"The model {model.public_id} has {len(found)} weights files of PyTorch; one, or one called best.pt, is "
            "wanted.",
            field="model_id",
        )
    folder = registry_files.models_folder(model.namespace_id) / model.public_id
    return keep_file(namespace=model.namespace, path=folder / chosen[0])


def _replaced(version: ExtractorVersion, model: RegistryModel) -> list[str]:
    """The ids in the code that the model stands for: those of its own name, else the only one there is."""
    used = dict.fromkeys([*version.models_named, *version.model_overrides, *_loaded(version)])
    same = [one for one in used if _name_of(version.model_overrides.get(one, one)) == model.name]
    if same or len(used) == 1:
        return same or list(used)
    if not used:
        raise LoadsNoModel(
            f"{version} loads no model of the registry: its code calls load_namespace_model(…) nowhere.",
            field="model_id",
        )
    raise LoadsNoModel(
        f"{version} loads {', '.join(used)}; none of them is a {model.name}. Register the weights under that name.",
        field="model_id",
    )


def _loaded(version: ExtractorVersion) -> list[str]:
    """What its hosts loaded, less what stands for an id of the code already."""
    loaded = version.model_uses.order_by("pk").values_list("model__public_id", flat=True)
    return [one for one in loaded if one not in version.model_overrides.values()]


def _name_of(public_id: str) -> str:
    """`yolo-detector` for `yolo-detector_2_0_0`."""
    return public_id.rsplit("_", 3)[0]


def next_number(version: ExtractorVersion) -> str:
    taken = version.extractor.versions.values_list("version", flat=True)
    return f"{max(int(one.split('.')[0]) for one in taken) + 1}.0.0"
