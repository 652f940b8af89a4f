"""Folders packed as the server takes them."""

from __future__ import annotations

import ast
import tarfile
import zipfile
from pathlib import Path

from mixcv.client.errors import ApiError

_LEFT_OUT = frozenset({"__pycache__", ".git", ".venv", ".mypy_cache", ".ruff_cache", ".pytest_cache"})


def files_of(folder: Path) -> list[Path]:
    """What belongs to a package: caches and hidden files do not."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file()
        and not any(name in _LEFT_OUT or name.startswith(".") for name in path.relative_to(folder).parts)
    )


def zip_of(folder: Path, target: Path) -> Path:
    """The package in `folder` as a zip. Raises ApiError where it has no manifest.py."""
    if not (folder / "manifest.py").is_file():
        raise ApiError(f"{folder} has no manifest.py. Name the folder that has it.", code="no_manifest")
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in files_of(folder):
            archive.write(path, path.relative_to(folder).as_posix())
    return target


def tar_of(folder: Path, target: Path) -> Path:
    """The weights in `folder` as a .tar.gz."""
    with tarfile.open(target, "w:gz") as archive:
        for path in files_of(folder):
            archive.add(path, path.relative_to(folder).as_posix())
    return target


def manifest_in(path: Path) -> str:
    """The text of the manifest in a package's folder or zip. Raises ApiError where there is none."""
    if path.is_dir():
        file = path / "manifest.py"
        text = file.read_text(encoding="utf-8") if file.is_file() else None
    elif zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            found = [name for name in archive.namelist() if name.split("/")[-1] == "manifest.py"]
            nearest = min(found, key=lambda name: name.count("/"), default=None)
            text = archive.read(nearest).decode() if nearest else None
    else:
        raise ApiError(f"{path} is neither a folder nor a zip.", code="no_package")
    if text is None:
        raise ApiError(f"{path} has no manifest.py.", code="no_manifest")
    return text


def named_in(manifest: str) -> tuple[str, str]:
    """`feature_extractor_name` and `version` of a manifest, read without running it. Raises ApiError."""
    values: dict[str, str] = {}
    try:
        statements = ast.parse(manifest).body
    except SyntaxError as fault:
        raise ApiError(f"manifest.py is no Python: {fault}", code="no_manifest") from fault
    for statement in statements:
        if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Constant):
            for target in statement.targets:
                if isinstance(target, ast.Name):
                    values[target.id] = str(statement.value.value)
    try:
        return values["feature_extractor_name"], values["version"]
    except KeyError as missing:
        raise ApiError(
            f"manifest.py has no {missing.args[0]}. Write it as a plain text.", code="no_manifest"
        ) from None
