"""Writes of detectors and of the models they load."""

from extraction.packages.domain.deploying import (
    CROP_EMBEDDING,
    ClassesDiffer,
    DependenciesMissing,
    bring_up,
    deploy,
    lost_deployments,
)
from extraction.packages.domain.errors import GateClosed, InUse, NotDeployable, NothingBefore
from extraction.packages.domain.indices import give_indices
from extraction.packages.domain.next_version import LoadsNoModel, next_version_from_model
from extraction.packages.domain.registering import (
    InvalidPackage,
    register_package,
    register_version,
)
from extraction.packages.domain.registry import (
    RegistryFull,
    bring_up_model,
    delete_model,
    deploy_model,
    lost_models,
    register_model,
)
from extraction.packages.domain.uploads import (
    add_model,
    add_package,
    ask_for_model,
    ask_for_package,
    confirm_model,
    confirm_package,
)
from extraction.packages.domain.versions import delete_version, promote, retire, roll_back, undeploy

__all__ = [
    "CROP_EMBEDDING",
    "ClassesDiffer",
    "DependenciesMissing",
    "GateClosed",
    "InUse",
    "InvalidPackage",
    "LoadsNoModel",
    "NotDeployable",
    "NothingBefore",
    "RegistryFull",
    "add_model",
    "add_package",
    "ask_for_model",
    "ask_for_package",
    "bring_up",
    "bring_up_model",
    "confirm_model",
    "confirm_package",
    "delete_model",
    "delete_version",
    "deploy",
    "deploy_model",
    "give_indices",
    "lost_deployments",
    "lost_models",
    "next_version_from_model",
    "promote",
    "register_model",
    "register_package",
    "register_version",
    "retire",
    "roll_back",
    "undeploy",
]
