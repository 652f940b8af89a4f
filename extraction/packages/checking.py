"""A package's code, looked at before it is taken: the published rules for imports and calls.

This is a courtesy, so that an author hears early what will not do. It is no fence: whoever wants around it gets around
it, and code therefore only ever runs in the isolated host.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from extraction.packages.archives import Entry, list_zip, read_zip, top_folder
from extraction.packages.manifest import Fault, InvalidManifest, parse_manifest
from mixcv.kernel.errors import InvalidInput

REFUSED_IMPORTS = {"subprocess", "ctypes", "socket", "multiprocessing", "threading"}
REFUSED_BUILTINS = {"eval", "exec", "open"}
_REFUSED_OS = {"system", "popen"}
_INSTEAD = {
    "open": "read the package's own files and images by shared.plugins.open_asset",
    "threading": "parallel_io runs a function over many items in threads",
    "multiprocessing": "parallel_io runs a function over many items in threads",
    "socket": "shared.plugins.download_asset fetches a file",
}
# What is read as Python at all: a syntax tree takes a hundred times the memory of its text.
LONGEST_SOURCE = 2**20
LONGEST_SOURCES = 4 * 2**20


@dataclass
class Checked:
    """A package as far as it can be known without running it. It is good where there are no faults."""

    top: str = ""
    entries: list[Entry] = field(default_factory=list)
    manifest: dict[str, Any] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    # Models of the registry that its code names in so many words.
    models: list[str] = field(default_factory=list)


def check_archive(path: Path) -> Checked:
    """Look a package's zip over. Every fault is listed; nothing of it is run or unpacked."""
    found = Checked()
    try:
        found.entries = list_zip(path)
        found.top = top_folder(found.entries, "manifest.py")
        sources = _sources(path, found)
    except InvalidInput as error:
        found.faults.append(Fault("archive", 0, error.message))
        return found
    top = f"{found.top}/" if found.top else ""
    if f"{top}pipeline.py" not in {entry.path for entry in found.entries}:
        found.faults.append(Fault("pipeline.py", 0, "is missing; it defines build_steps(…) or extract(…)"))
    if "manifest.py" in sources:
        try:
            found.manifest = parse_manifest(sources["manifest.py"])
        except InvalidManifest as error:
            found.faults += error.faults
    trees = {}
    for name, source in sorted(sources.items()):
        tree = _parsed(name, source, found.faults, said_already=name == "manifest.py")
        if tree is not None:
            trees[name] = tree
    for name, tree in trees.items():
        found.faults += check_code(name, tree)
    if "pipeline.py" in trees and not _defines(trees["pipeline.py"], {"build_steps", "extract"}):
        found.faults.append(Fault("pipeline.py", 0, "must define build_steps(…) or extract(…)"))
    found.models = models_named(trees)
    return found


def _sources(path: Path, found: Checked) -> dict[str, bytes]:
    prefix = f"{found.top}/" if found.top else ""
    total = sum(entry.size for entry in found.entries if entry.path.endswith(".py"))
    if total > LONGEST_SOURCES:
        raise InvalidInput(
            f"The package has {total:,} bytes of Python; at most {LONGEST_SOURCES:,} are taken."
        )

    def wanted(entry: Entry) -> bool:
        if not entry.path.endswith(".py") or not entry.path.startswith(prefix):
            return False
        if entry.size > LONGEST_SOURCE:
            fault = Fault(entry.path.removeprefix(prefix), 0, f"has more than {LONGEST_SOURCE:,} bytes")
            found.faults.append(fault)
            return False
        return True

    return {name.removeprefix(prefix): data for name, data in read_zip(path, wanted).items()}


def _parsed(name: str, source: bytes, faults: list[Fault], *, said_already: bool) -> ast.Module | None:
    try:
        return ast.parse(source)
    except (RecursionError, MemoryError):
        fault = Fault(name, 0, "is nested too deep to be read")
    except (SyntaxError, ValueError) as error:
        said = error.msg if isinstance(error, SyntaxError) else str(error)
        fault = Fault(name, getattr(error, "lineno", 0) or 0, f"is not readable as Python: {said}")
    if not said_already:
        faults.append(fault)
    return None


def _defines(tree: ast.Module, names: set[str]) -> bool:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name in names:
            return True
        if isinstance(node, ast.ImportFrom) and any((a.asname or a.name) in names for a in node.names):
            return True
        if isinstance(node, ast.Assign):
            targets = {target.id for target in node.targets if isinstance(target, ast.Name)}
            if targets & names:
                return True
    return False


def check_code(file: str, tree: ast.Module) -> list[Fault]:
    """What the published rules refuse in one file, each with its line."""
    os_names, os_calls = _names_of_os(tree)
    own = _own_names(tree)
    faults = []
    for node in ast.walk(tree):
        faults += [
            _refused(file, node, f"import of {module}", module.split(".")[0])
            for module in _imported(node)
            if module.split(".")[0] in REFUSED_IMPORTS
        ]
        if not isinstance(node, ast.Call):
            continue
        called = node.func
        if isinstance(called, ast.Name):
            if called.id in REFUSED_BUILTINS and called.id not in own:
                faults.append(_refused(file, node, f"call of {called.id}()", called.id))
            elif called.id in os_calls:
                faults.append(_refused(file, node, f"call of os.{os_calls[called.id]}()"))
        elif isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name):
            if called.value.id in os_names and _is_refused_os(called.attr):
                faults.append(_refused(file, node, f"call of os.{called.attr}()"))
            elif called.value.id in {"builtins", "__builtins__"} and called.attr in REFUSED_BUILTINS:
                faults.append(_refused(file, node, f"call of {called.attr}()", called.attr))
    return sorted(faults, key=lambda fault: fault.line)


def _refused(file: str, node: ast.AST, what: str, name: str = "") -> Fault:
    instead = f"; {_INSTEAD[name]}" if name in _INSTEAD else ""
    return Fault(file, getattr(node, "lineno", 0), f"{what} is not allowed in a package{instead}")


def _is_refused_os(name: str) -> bool:
    return name in _REFUSED_OS or name.startswith("exec")


def _imported(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
        yield node.module
    elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
        called = node.func
        name = called.id if isinstance(called, ast.Name) else getattr(called, "attr", "")
        if name in {"__import__", "import_module"} and isinstance(node.args[0].value, str):
            yield node.args[0].value


def _names_of_os(tree: ast.Module) -> tuple[set[str], dict[str, str]]:
    """Names under which the file knows `os`, and names that it took from it for a refused call."""
    modules = {"posix"}
    calls: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules |= {alias.asname or "os" for alias in node.names if alias.name == "os"}
        elif isinstance(node, ast.ImportFrom) and node.module in {"os", "posix"}:
            calls |= {a.asname or a.name: a.name for a in node.names if _is_refused_os(a.name)}
    return modules, calls


def _own_names(tree: ast.Module) -> set[str]:
    """Names that the file gives itself: a function of its own named `open` is no builtin."""
    own = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            own.add(node.name)
        elif isinstance(node, ast.ImportFrom) and node.module not in {"builtins", "io", "os"}:
            own |= {alias.asname or alias.name for alias in node.names}
    return own


def models_named(trees: Mapping[str, ast.Module]) -> list[str]:
    """Ids of the registry's models that code names: `load_namespace_model("…")`, or a class's `model_id`."""
    found: dict[str, None] = {}
    for tree in trees.values():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
                called = node.func
                name = called.id if isinstance(called, ast.Name) else getattr(called, "attr", "")
                if name == "load_namespace_model" and isinstance(node.args[0].value, str):
                    found[node.args[0].value] = None
            elif isinstance(node, ast.ClassDef):
                texts = _class_texts(node)
                if texts.get("model_source") == "namespace" and texts.get("model_id"):
                    found[texts["model_id"]] = None
    return list(found)


def _class_texts(node: ast.ClassDef) -> dict[str, str]:
    return {
        target.id: item.value.value
        for item in node.body
        if isinstance(item, ast.Assign)
        for target in item.targets
        if isinstance(target, ast.Name)
        and isinstance(item.value, ast.Constant)
        and isinstance(item.value.value, str)
    }
