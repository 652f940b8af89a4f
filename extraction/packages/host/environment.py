"""What a host process gets to see: an environment by allow-list, and a quiet ultralytics set-up.

Nothing here imports torch or ultralytics, so that the variables can be set before they are.
"""

from __future__ import annotations

import json
import os
import shutil
from importlib.util import find_spec
from pathlib import Path

PASSED_ON = ("PATH", "LANG", "LC_ALL", "TZ", "CUDA_VISIBLE_DEVICES", "LD_LIBRARY_PATH", "SSL_CERT_FILE")
QUIET = {
    "YOLO_OFFLINE": "true",
    "YOLO_AUTOINSTALL": "false",
    "YOLO_VERBOSE": "false",
    "ULTRALYTICS_SKIP_REQUIREMENTS_CHECKS": "1",
}
FONT = "Arial.ttf"
SETTINGS_VERSION = "0.0.8"


def write_ultralytics_config(folder: Path, *, weights_dir: Path) -> dict[str, str]:
    """Make ultralytics' configuration folder, and give the variables that point to it.

    It gets a font of its own, weights are looked up in `weights_dir`, and nothing is reported
    to anyone. Set the variables before ultralytics is imported.
    """
    own = folder / "Ultralytics"
    own.mkdir(parents=True, exist_ok=True)
    font = own / FONT
    if not font.exists():
        source = _any_font()
        if source is not None:
            shutil.copyfile(source, font)
    settings: dict[str, object] = {
        "settings_version": SETTINGS_VERSION,
        "datasets_dir": str(folder / "datasets"),
        "weights_dir": str(weights_dir.resolve()),
        "runs_dir": str(folder / "runs"),
        "uuid": "0" * 64,
        "sync": False,
        "api_key": "",
        "openai_api_key": "",
    }
    for service in ("clearml", "comet", "dvc", "mlflow", "raytune", "tensorboard", "wandb"):
        settings[service] = False
    settings |= {"vscode_msg": False, "openvino_msg": False}
    (own / "settings.json").write_text(json.dumps(settings, indent=1), encoding="utf-8")
    return {"YOLO_CONFIG_DIR": str(folder), **QUIET}


def _any_font() -> Path | None:
    """Find the font that matplotlib carries, without importing it."""
    spec = find_spec("matplotlib")
    if spec is None or spec.origin is None:
        return None
    font = Path(spec.origin).parent / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"
    return font if font.exists() else None


def host_environment(home: Path, *, weights_dir: Path, threads: int) -> dict[str, str]:
    """Give the whole environment of a host process: no database, broker, cloud or secret."""
    allowed = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return {
        "PATH": "/usr/bin:/bin",
        "LANG": "C.UTF-8",
        **allowed,
        "HOME": str(home),
        "TMPDIR": str(home / "tmp"),
        "XDG_CACHE_HOME": str(home / "cache"),
        "HF_HOME": str(home / "cache" / "huggingface"),
        "MPLCONFIGDIR": str(home / "cache" / "matplotlib"),
        "MPLBACKEND": "Agg",
        "OMP_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
        "OPENBLAS_NUM_THREADS": str(threads),
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        **write_ultralytics_config(home / "config", weights_dir=weights_dir),
    }
