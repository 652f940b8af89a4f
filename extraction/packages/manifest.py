"""What a package says of itself, checked by a schema before anything is stored."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from extraction.intake.schema import check_json
from mixcv.kernel.errors import InvalidInput

# Keys that people write in place of the right ones. The hosted product dropped such features without a word.
_MISTAKEN = {
    "name": "feature_name",
    "type": "feature_type",
    "dimensions": "embedding_dim",
    "dim": "embedding_dim",
    "distance": "distance_metric",
    "metric": "distance_metric",
}

_FEATURE: dict[str, Any] = {
    "type": "object",
    "required": ["feature_type", "feature_name"],
    "properties": {
        "feature_type": {"enum": ["json", "embedding"]},
        "feature_name": {"type": "string", "pattern": "^[a-zA-Z][a-zA-Z0-9_]{0,63}$"},
        "embedding_dim": {"type": "integer", "minimum": 1, "maximum": 4000},
        "distance_metric": {"enum": ["cosine", "euclidean", "dot"]},
        "source": {"enum": ["crop"]},
    },
    "if": {"properties": {"feature_type": {"const": "embedding"}}},
    "then": {"required": ["embedding_dim"]},
    "additionalProperties": False,
}

SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["feature_extractor_name", "version", "features"],
    "properties": {
        "feature_extractor_name": {"type": "string", "pattern": "^[a-zA-Z][a-zA-Z0-9_-]{1,63}$"},
        "version": {"type": "string", "pattern": r"^\d+\.\d+\.\d+$"},
        "description": {"type": "string", "maxLength": 2000},
        "dependencies": {"type": "array", "items": {"type": "string"}},
        "features": {"type": "array", "minItems": 1, "items": _FEATURE},
        "output_schema": {"type": "object"},
        "input_mappings": {"type": "object"},
        "tier": {"type": "integer"},
        "tier_label": {"type": "string"},
        "compute_profile": {"type": "object"},
    },
    "additionalProperties": False,
}


def check_manifest(manifest: dict[str, Any]) -> dict[str, Any]:
    """The manifest as it is, if it is right. Raises InvalidInput naming every faulty key and the right one."""
    faults = []
    for error in Draft202012Validator(SCHEMA).iter_errors(manifest):
        place = ".".join(str(part) for part in error.absolute_path) or "manifest"
        wrong = set(error.instance) & set(_MISTAKEN) if isinstance(error.instance, dict) else set()
        if wrong and error.validator in {"additionalProperties", "required"} and "features" in place:
            hints = ", ".join(f"{key} → {_MISTAKEN[key]}" for key in sorted(wrong))
            faults.append(f"{place}: rename {hints}")
        else:
            faults.append(f"{place}: {error.message}")
    if faults:
        raise InvalidInput(
            "The manifest is not valid. " + "; ".join(dict.fromkeys(faults)) + ".",
            field="manifest",
            details={"faults": list(dict.fromkeys(faults))},
        )
    return manifest


def read_manifest(path: Path) -> dict[str, Any]:
    """The names that a `manifest.py` assigns, read without running it: each value must be a plain literal.

    Raises InvalidInput where the file is missing, is no Python, computes a value, or has one without a JSON form.
    """
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, IsADirectoryError):
        raise InvalidInput("The package has no manifest.py at its top.", field="manifest") from None
    except (RecursionError, MemoryError):
        raise InvalidInput("manifest.py is nested too deep to be read.", field="manifest") from None
    except (SyntaxError, ValueError) as error:
        raise InvalidInput(f"manifest.py is not readable as Python: {error}.", field="manifest") from None
    found: dict[str, Any] = {}
    for node in tree.body:
        if not isinstance(node, ast.Assign) or not isinstance(node.targets[0], ast.Name):
            continue
        name = node.targets[0].id
        try:
            found[name] = ast.literal_eval(node.value)
        except ValueError:
            raise InvalidInput(
                f"manifest.py line {node.lineno}: {name} must be a plain value, not computed.",
                field=f"manifest.{name}",
            ) from None
        except (TypeError, SyntaxError, RecursionError, MemoryError):
            raise InvalidInput(
                f"manifest.py line {node.lineno}: {name} is no plain value, or nested too deep.",
                field=f"manifest.{name}",
            ) from None
    check_json(found, field="manifest")
    return check_manifest(found)
