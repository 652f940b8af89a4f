"""Weights of the namespace's model registry, laid out by the host as one folder per model."""

from __future__ import annotations

from pathlib import Path

from .. import runtime

WEIGHTS_SUFFIXES = (".pt", ".pth", ".onnx", ".safetensors", ".bin", ".torchscript")


class NamespaceModelMissing(FileNotFoundError):
    """No such model in the namespace's registry, or no single weights file in it."""


def load_namespace_model(name: str) -> str:
    """Give the path of a deployed model's weights: its `best.pt`, else its only weights file.

    A version made for newer weights gets those in place of the model that its code names.

    Raises NamespaceModelMissing with what there is instead.
    """
    context = runtime.current()
    name, root = context.model_overrides.get(name, name), context.models_dir
    known = _deployed(root) if root is not None and root.is_dir() else []
    if root is None or name not in known:
        raise NamespaceModelMissing(
            f"There is no deployed model {name!r} in this namespace's registry; it has: {', '.join(known) or 'none'}."
        )
    context.models_asked.add(name)
    folder = root / name
    files = [folder] if folder.is_file() else _weights_files(folder)
    best = [file for file in files if file.name == "best.pt"]
    found = best or files
    if len(found) != 1:
        listed = ", ".join(str(file.relative_to(root)) for file in files) or "no weights file"
        raise NamespaceModelMissing(
            f"Model {name!r} must hold best.pt or one weights file; it holds {listed}."
        )
    return str(found[0])


def _weights_files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*") if file.is_file() and file.suffix in WEIGHTS_SUFFIXES)


def _deployed(root: Path) -> list[str]:
    return sorted(entry.name for entry in root.iterdir() if not entry.name.startswith("."))
