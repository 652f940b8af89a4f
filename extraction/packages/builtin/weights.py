"""Finding weights by name: in the weights folder, among those shipped, else from their publisher."""

from __future__ import annotations

from pathlib import Path

from extraction.packages.builtin import SHIPPED_WEIGHTS
from extraction.packages.sdk.engine.models.assets import AssetMissing, fetch_asset
from mixcv.kernel.errors import DomainError


class WeightsMissing(DomainError):
    """The weights named are not here; the message says which file to put where."""

    code = "weights_missing"
    status = 409


def resolve_weights(name: str, weights_dir: Path, *, allow_download: bool = False) -> Path:
    """Give the path of the weights file `name` (a bare file name such as `yolov8m.pt`).

    Looked for in `weights_dir`, then among the weights that ship with mixcv; with `allow_download`
    asked of ultralytics' published assets, once. Raises WeightsMissing.
    """
    if Path(name).name != name:
        raise WeightsMissing(f"Weights are named by file name alone, such as yolov8m.pt; {name!r} is a path.")
    for folder in (weights_dir, SHIPPED_WEIGHTS):
        if (folder / name).is_file():
            return folder / name
    if not allow_download:
        raise WeightsMissing(f"The weights file {name} is not here. Put {name} into {weights_dir}.")
    try:
        return fetch_asset(name, weights_dir)
    except AssetMissing as error:
        raise WeightsMissing(str(error)) from error
