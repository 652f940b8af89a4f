"""What a package says of itself, checked by a schema before anything is stored."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from extraction.intake.schema import check_json
from extraction.packages.requirements import bad_requirements
from mixcv.kernel.errors import DomainError, InvalidInput

# Keys that people write in place of the right ones. The hosted product dropped such features without a word.
_MISTAKEN = {
    "name": "feature_name",
    "type": "feature_type",
    "dimensions": "embedding_dim",
    "dim": "embedding_dim",
    "distance": "distance_metric",
    "metric": "distance_metric",
}
# The same at the top of a manifest.
_MISTAKEN_TOP = {
    "name": "feature_extractor_name",
    "extractor_name": "feature_extractor_name",
    "requirements": "dependencies",
}

_FEATURE: dict[str, Any] = {
    "type": "object",
    "required": ["feature_type", "feature_name"],
    "properties": {
        "feature_type": {"enum": ["json", "embedding"]},
        "feature_name": {"type": "string", "pattern": "^[a-zA-Z][a-zA-Z0-9_]{0,63}$"},
        "embedding_dim": {"type": "integer", "minimum": 1, "maximum": 4000},
        "distance_metric": {"enum": ["cosine", "euclid", "euclidean", "dot"]},
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
        "version": {"type": "string", "pattern": r"^v?\d{1,6}(\.\d{1,6}){0,2}$"},
        "description": {"type": "string", "maxLength": 2000},
        "dependencies": {"type": "array", "items": {"type": "string"}, "maxItems": 100},
        "features": {"type": "array", "minItems": 1, "maxItems": 50, "items": _FEATURE},
        "output_schema": {"type": "object"},
        "input_mappings": {"type": "object"},
        "tier": {"type": "integer"},
        "tier_label": {"type": "string"},
        "compute_profile": {
            "type": "object",
            "properties": {
                "resource_type": {"enum": ["cpu", "gpu", "api"]},
                "num_gpus": {"type": "number", "minimum": 0},
            },
        },
    },
    "additionalProperties": False,
}
_NAME_RULE = "must start with a letter and have 2 to 64 letters, digits, _ or -"
_RULES = {  # a pattern in words
    "feature_extractor_name": _NAME_RULE,
    "version": "must be numbers such as 1.0.0",
    "feature_name": "must start with a letter and have at most 64 letters, digits or _",
}


@dataclass(frozen=True)
class Fault:
    """What is wrong, and where. `line` 0: the file as a whole."""

    file: str
    line: int
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.message}" if place else self.message


class InvalidManifest(InvalidInput):
    """The manifest is not what it must be; `faults` says all that is wrong."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__(
            "The manifest is not valid. " + "; ".join(map(str, faults)) + ".",
            field="manifest",
            details={"faults": [str(fault) for fault in faults]},
        )
        self.faults = faults


def normal_version(text: str) -> str:
    """`1.0.0` for `v1`, `1`, `1.0` and `1.0.0`. Raises InvalidInput for what is no version."""
    found = re.fullmatch(r"[vV]?(\d{1,6})(?:\.(\d{1,6}))?(?:\.(\d{1,6}))?", text.strip())
    if found is None or not text.isascii():
        raise InvalidInput(
            f"A version is three numbers such as 1.0.0; this is {text[:40]!r}.", field="version"
        )
    return ".".join(str(int(number or 0)) for number in found.groups())


def normal_metric(declared: str | None) -> str:
    """The metric under one name: `euclid` is `euclidean`, none is `cosine`."""
    return {"euclid": "euclidean", None: "cosine"}.get(declared, declared or "cosine")


def read_manifest(path: Path) -> dict[str, Any]:
    """The names that a `manifest.py` assigns, read without running it. Raises InvalidManifest, InvalidInput."""
    try:
        source = path.read_bytes()
    except (FileNotFoundError, IsADirectoryError):
        raise InvalidInput("The package has no manifest.py at its top.", field="manifest") from None
    return parse_manifest(source)


def parse_manifest(source: bytes) -> dict[str, Any]:
    """The manifest that this text of a `manifest.py` gives: each value must be a plain literal.

    Raises InvalidManifest with every fault: no Python, a computed value, a key or value that the schema refuses.
    """
    try:
        tree = ast.parse(source.decode("utf-8"))
    except (RecursionError, MemoryError):
        raise InvalidManifest([_fault(0, "is nested too deep to be read")]) from None
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", 0) or 0
        raise InvalidManifest([_fault(line, f"is not readable as Python: {error}")]) from None
    found: dict[str, Any] = {}
    values: dict[str, ast.expr] = {}
    faults = []
    for name, value in _assigned(tree):
        try:
            found[name] = ast.literal_eval(value)
            values[name] = value
        except ValueError:
            faults.append(_fault(value.lineno, f"{name} must be a plain value, not computed"))
        except (TypeError, SyntaxError, RecursionError, MemoryError):
            faults.append(_fault(value.lineno, f"{name} is no plain value, or nested too deep"))
    if not faults:
        try:
            check_json(found, field="manifest")
        except DomainError as error:
            faults.append(_fault(0, error.message))
        else:
            faults = _faults_of(found, values)
    if faults:
        raise InvalidManifest(faults)
    found["version"] = normal_version(found["version"])
    return found


def check_manifest(manifest: dict[str, Any]) -> dict[str, Any]:
    """The manifest as it is, if it is right. Raises InvalidManifest naming every faulty key and the right one."""
    faults = _faults_of(manifest, {})
    if faults:
        raise InvalidManifest(faults)
    return manifest


def _assigned(tree: ast.Module) -> Iterable[tuple[str, ast.expr]]:
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            yield node.targets[0].id, node.value
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
            yield node.target.id, node.value


def _fault(line: int, message: str) -> Fault:
    return Fault("manifest.py", line, message)


def _faults_of(manifest: dict[str, Any], values: dict[str, ast.expr]) -> list[Fault]:
    file = "manifest.py" if values else ""
    faults: dict[str, Fault] = {}
    for error in Draft202012Validator(SCHEMA).iter_errors(manifest):
        parts = list(error.absolute_path)
        message = f"{'.'.join(map(str, parts)) or 'manifest'}: {_in_words(error, parts)}"
        faults.setdefault(message, Fault(file, _line_of(parts, error, values), message))
    dependencies = manifest.get("dependencies")
    if isinstance(dependencies, list) and all(isinstance(one, str) for one in dependencies):
        line = values["dependencies"].lineno if "dependencies" in values else 0
        for message in bad_requirements(dependencies):
            faults.setdefault(message, Fault(file, line, message))
    return list(faults.values())


def _in_words(error: Any, parts: list[Any]) -> str:
    hints = _MISTAKEN if parts and parts[0] == "features" else {} if parts else _MISTAKEN_TOP
    wrong = sorted(set(error.instance) & set(hints)) if isinstance(error.instance, dict) else []
    if wrong and error.validator in {"additionalProperties", "required"}:
        return "rename " + ", ".join(f"{key} → {hints[key]}" for key in wrong)
    if error.validator == "pattern" and parts and parts[-1] in _RULES:
        return f"{error.instance!r:.80} {_RULES[parts[-1]]}"
    if error.validator == "additionalProperties":
        return f"{error.message}. Allowed: {', '.join(sorted(error.schema['properties']))}"
    return str(error.message)


def _line_of(parts: list[Any], error: Any, values: dict[str, ast.expr]) -> int:
    """The line on which the faulty value stands; 0 where it stands nowhere."""
    if not parts:
        unknown = sorted(set(error.instance) - set(SCHEMA["properties"])) if error.instance else []
        return values[unknown[0]].lineno if unknown and unknown[0] in values else 0
    node = values.get(str(parts[0]))
    for part in parts[1:]:
        inner: ast.expr | None = None
        if isinstance(node, ast.List | ast.Tuple) and isinstance(part, int) and part < len(node.elts):
            inner = node.elts[part]
        elif isinstance(node, ast.Dict):
            pairs = zip(node.keys, node.values, strict=True)
            inner = next((v for k, v in pairs if isinstance(k, ast.Constant) and k.value == part), None)
        if inner is None:
            break
        node = inner
    return node.lineno if node is not None else 0
