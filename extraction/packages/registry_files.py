"""Deployed models as folders that hosts read: one folder per namespace, in it one per model, named by its id."""

from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path

from django.conf import settings

from extraction.packages.archives import Bounds, check_tar_begins, unpack_tar, whole_folder
from extraction.packages.files import link_file
from extraction.packages.models import RegistryModel
from extraction.packages.sdk.engine.models.namespace import WEIGHTS_SUFFIXES
from mixcv.kernel import storage
from mixcv.kernel.errors import InvalidInput
from mixcv.kernel.ids import slug

TAR = (".tar.gz", ".tgz")
SINGLE = (".pt", ".pth", ".onnx", ".safetensors", ".torchscript")
_FIRST_BYTES = {".onnx": b"\x08", ".pt": b"PK", ".pth": b"PK", ".torchscript": b"PK"}


def models_folder(namespace_id: int) -> Path:
    """What a host of this namespace gets to see: a link per deployed model, named by its id."""
    return Path(settings.MIXCV_CACHE) / "models" / "namespaces" / str(namespace_id)


def lay_out_models(namespace_id: int) -> None:
    """Have every deployed model of the namespace where its hosts look, on this machine."""
    rows = RegistryModel.objects.filter(namespace_id=namespace_id, state=RegistryModel.State.DEPLOYED)
    for model in rows.select_related("archive"):
        lay_out(model)


def lay_out(model: RegistryModel) -> list[dict[str, object]]:
    """Unpack one model where hosts find it; gives its weights files, each with its size.

    The content lies under its hash and the id is a link to it, so that an id given anew never shows old weights.
    Raises ArchiveRefused for an archive that cannot be unpacked, InvalidInput where it holds no weights.
    """
    folder = _content(model)
    if not folder.is_dir():
        source = storage.local_path(model.archive.storage_name)
        if model.file_name.endswith(TAR):
            unpack_tar(source, folder, _bounds())
        else:
            with whole_folder(folder) as new:
                link_file(source, new / model.file_name)
    found = [
        {"path": str(path.relative_to(folder)), "size": path.stat().st_size}
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix in WEIGHTS_SUFFIXES
    ]
    if not found:
        raise InvalidInput(
            f"{model.file_name} holds no weights file. Looked for: {', '.join(WEIGHTS_SUFFIXES)}.",
            field="file",
        )
    _point(models_folder(model.namespace_id) / model.public_id, folder)
    return found


def forget(model: RegistryModel) -> None:
    """Take the model away from this machine's hosts; its content too where no other model has the same."""
    (models_folder(model.namespace_id) / model.public_id).unlink(missing_ok=True)
    if not RegistryModel.objects.filter(archive__sha256=model.archive.sha256).exists():
        shutil.rmtree(_content(model), ignore_errors=True)


def _content(model: RegistryModel) -> Path:
    # The same bytes under another file name are another folder: packages look for best.pt by name.
    name = "tar" if model.file_name.endswith(TAR) else slug(model.file_name)
    return Path(settings.MIXCV_CACHE) / "models" / "content" / f"{model.archive.sha256}-{name}"


def _point(link: Path, folder: Path) -> None:
    link.parent.mkdir(parents=True, exist_ok=True)
    if link.is_symlink() and link.readlink() == folder:
        return
    new = link.with_name(f".{os.getpid()}-{threading.get_ident()}-{link.name}")
    new.unlink(missing_ok=True)
    new.symlink_to(folder, target_is_directory=True)
    os.replace(new, link)


def named_by_content(path: Path, name: str) -> str:
    """A file's name with an ending that tells its form, found by its first bytes where the name has none."""
    if name.endswith((*TAR, *SINGLE)):
        return name
    with path.open("rb") as file:
        begin = file.read(9)
    for first, ending in ((b"\x1f\x8b", ".tar.gz"), (b"PK", ".pt"), (b"\x80", ".pt"), (b"\x08", ".onnx")):
        if begin.startswith(first):
            return name + ending
    return name + (".safetensors" if begin[8:9] == b"{" else ".tar.gz")


def check_model_file(path: Path, name: str) -> None:
    """Whether a file is what its ending says, without loading it. Raises InvalidInput, ArchiveRefused."""
    if name.endswith(TAR):
        check_tar_begins(path)
        return
    suffix = Path(name).suffix
    if suffix not in SINGLE:
        raise InvalidInput(
            f"A model is sent as .tar.gz, or as one file: {', '.join(SINGLE)}. This is {name[:80]!r}.",
            field="file",
        )
    with path.open("rb") as file:
        begin = file.read(9)
    fits = begin.startswith(_FIRST_BYTES[suffix]) if suffix in _FIRST_BYTES else begin[8:9] == b"{"
    if suffix in {".pt", ".pth"} and begin[:1] == b"\x80":  # a plain pickle, as PyTorch wrote until 1.6
        fits = True
    if not fits:
        raise InvalidInput(f"{name[:80]!r} does not begin as a {suffix} file does.", field="file")


def _bounds() -> Bounds:
    return Bounds(files=10_000, unpacked=2 * settings.MIXCV_MAX_MODEL_BYTES)
