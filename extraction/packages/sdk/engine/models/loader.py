"""Loading models by name: from this server's disk, from a hub, or from the namespace's model registry."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from .. import runtime
from .namespace import load_namespace_model

__all__ = [
    "ModelMissing",
    "cached_hf_model",
    "is_hf_model_cached",
    "load_hf_model",
    "load_namespace_model",
    "load_weights",
]
HUB_TIMEOUT_S = 10.0


class ModelMissing(FileNotFoundError):
    """A model that is neither on this server nor to be had from a hub; the message names file and folder."""


def _folders(model_id: str) -> list[Path]:
    """Where a model of the hub may lie: a plain folder, or the hub's own layout."""
    root = runtime.current().weights_dir
    snapshots = root / "huggingface" / f"models--{model_id.replace('/', '--')}" / "snapshots"
    return [root / model_id, *(sorted(snapshots.iterdir()) if snapshots.is_dir() else [])]


def cached_hf_model(model_id: str) -> Path | None:
    """Give the folder of a model of the Hugging Face hub on this server; None where it is not here. Asks no hub."""
    if not re.fullmatch(r"[\w.-]+(/[\w.-]+)?", model_id) or ".." in model_id:
        return None
    return next((folder for folder in _folders(model_id) if (folder / "config.json").is_file()), None)


def is_hf_model_cached(model_id: str) -> bool:
    """Whether the model is on this server, so that loading it asks no hub."""
    return cached_hf_model(model_id) is not None


def load_hf_model(
    model_id: str,
    model_class: str = "AutoModel",
    tokenizer_class: str | None = "AutoTokenizer",
    torch_dtype: str = "float32",
    device: str | None = None,
) -> tuple[Any, Any]:
    """Give `(model, tokenizer)` of a model of the hub, on the host's device and ready to infer.

    It is fetched into the weights folder once where it is not here. The tokenizer is None where the model has none.
    Raises ModelMissing where no hub answers, ImportError where transformers is not installed.
    """
    folder = cached_hf_model(model_id) or _fetched(model_id)
    try:
        import transformers  # heavy, and not installed everywhere
    except ImportError:
        raise ImportError(
            f"{model_id} is here, in {folder}, but the package transformers, which loads it, is not installed on this "
            "server. Install it beside mixcv, or load the files yourself in _instantiate_model(self, cached_data)."
        ) from None
    import torch

    dtype = getattr(torch, torch_dtype)
    model = getattr(transformers, model_class).from_pretrained(
        str(folder), torch_dtype=dtype, local_files_only=True
    )
    model.to(device or runtime.detect_device()).eval()
    tokenizer = None
    if tokenizer_class and (folder / "tokenizer_config.json").is_file():
        tokenizer = getattr(transformers, tokenizer_class).from_pretrained(str(folder), local_files_only=True)
    return model, tokenizer


def _fetched(model_id: str) -> Path:
    from huggingface_hub import snapshot_download  # heavy
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    root = runtime.current().weights_dir
    try:
        return Path(snapshot_download(model_id, cache_dir=root / "huggingface", etag_timeout=HUB_TIMEOUT_S))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError, ValueError) as error:
        raise ModelMissing(
            f"The model {model_id} is not here and no hub gives it ({type(error).__name__}). "
            f"Put its files (config.json, model.safetensors and the others) into {root / model_id}."
        ) from error


def load_weights(path: str | Path, *, device: str = "cpu") -> Any:
    """Load weights by their ending: TorchScript, safetensors (a dict of tensors), ONNX (a session), else PyTorch."""
    suffix = Path(path).suffix
    if suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(str(path), device=device)
    if suffix == ".onnx":
        import onnxruntime

        return onnxruntime.InferenceSession(str(path))
    import torch

    if suffix == ".torchscript":
        return torch.jit.load(str(path), map_location=device)
    # A pickle, which runs what is in it: this is the isolated host, where the package's own code runs as well.
    return torch.load(str(path), map_location=device, weights_only=False)
