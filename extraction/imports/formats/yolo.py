"""YOLO: a text file beside each picture, `class cx cy w h` as shares of the upright image, and names in `data.yaml`.

`data.yaml` is taken in the forms that Ultralytics and Roboflow write: `path` absent, `.`, relative or of another
machine; `train`, `val` and `test` as folders, list files or lists of those; `names` as a list or numbered.
Without one, `classes.txt`, `obj.names` and the like give the names, and every picture is taken.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

import yaml

from extraction.imports.formats.base import (
    PARTS,
    Cost,
    Fault,
    NoTruth,
    Picture,
    RawBox,
    Reading,
    class_name,
    is_picture,
    part_of,
)
from extraction.imports.formats.tree import Tree, normal

NAME_FILES = ("classes.txt", "obj.names", "labels.txt", "_darknet.labels", "predefined_classes.txt")
_NOT_LABELS = {*NAME_FILES, "readme.txt", "notes.txt", "license.txt", "requirements.txt"}
_TOO_FAR = 2.0  # shares beyond this are pixels, or nonsense
_YAML = (".yaml", ".yml")


def settings_of(tree: Tree) -> str | None:
    """The `data.yaml` of a tree: a file of YAML with names or parts; the one nearest to the top."""
    found = [path for path in tree.files if path.lower().endswith(_YAML)]
    for path in sorted(found, key=lambda one: (one.count("/"), "data" not in one.lower(), one)):
        # A broken one is taken by its name, so that its fault is said.
        if path.rpartition("/")[2].lower() in {"data.yaml", "data.yml", "dataset.yaml"}:
            return path
        try:
            body = _load(tree, path)
        except (NoTruth, yaml.YAMLError, RecursionError):
            continue
        if isinstance(body, Mapping) and ("names" in body or "train" in body):
            return path
    return None


def names_file(tree: Tree) -> str | None:
    found = [path for path in tree.files if path.rpartition("/")[2].lower() in NAME_FILES]
    found += [path for path in tree.files if path.lower().endswith(".names")]
    return min(found, key=lambda path: (path.count("/"), path)) if found else None


def read(tree: Tree) -> Reading:
    """Raises NoTruth where there are no names, or `data.yaml` cannot be read."""
    reading = Reading("yolo")
    settings = settings_of(tree)
    body: Mapping[str, Any] = _settings(tree, settings) if settings else {}
    names = _names(tree, settings, body, reading)
    reading.names = list(dict.fromkeys(name for name in names.values() if name))
    for path, part in _pictures(tree, settings or "", body, reading).items():
        picture = Picture(path, labels=_labels_of(tree, path), part=part)
        reading.pictures.append(picture)
        if picture.labels:
            _read_labels(tree, picture, names, reading.faults)
    _lonely(tree, reading)
    return reading


def _load(tree: Tree, path: str) -> Any:
    # BaseLoader leaves every value text: a class called `no` is not False, and 007 stays 007.
    return yaml.load(tree.text(path), Loader=yaml.BaseLoader)


def _settings(tree: Tree, path: str) -> Mapping[str, Any]:
    try:
        body = _load(tree, path)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "it is no YAML"
        raise NoTruth(f"{path}{line}: {problem}.") from None
    except RecursionError:
        raise NoTruth(f"{path} is nested too deep.") from None
    except NoTruth as error:
        raise NoTruth(f"{path}: {error.message}") from None
    if not isinstance(body, Mapping):
        raise NoTruth(f"{path} holds no keys like names, train and val.")
    return body


def _names(
    tree: Tree, settings: str | None, body: Mapping[str, Any], reading: Reading
) -> dict[int, str | None]:
    told = body.get("names")
    where = settings or ""
    if isinstance(told, list):
        pairs: list[tuple[Any, Any]] = list(enumerate(told))
    elif isinstance(told, Mapping):
        pairs = list(told.items())
    else:
        found = names_file(tree)
        if found is None:
            have = f"{settings} has no list of names" if settings else "There is no data.yaml"
            raise NoTruth(
                f"{have}, and no classes.txt either: nothing says what the numbers in the label files mean. "
                "Add names: [first, second, …] to data.yaml."
            )
        where = found
        lines = tree.text(found).splitlines()
        while lines and not lines[-1].strip():
            lines.pop()
        pairs = list(enumerate(lines))
    names: dict[int, str | None] = {}
    for key, value in pairs:
        number = _whole(str(key))
        if number is None:
            reading.faults.append(Fault(where, 0, f"The class number {key!r} is no whole number."[:300]))
            continue
        name = class_name(value) if isinstance(value, str) else None
        if name is None:
            reading.faults.append(
                Fault(where, 0, f"Class {number} has no name that can be used: {value!r}."[:300])
            )
        elif name in names.values():
            reading.faults.append(
                Fault(where, 0, f"Two classes are called {name!r}; they become one.", Cost.KEPT)
            )
        names[number] = name
    count = _whole(str(body.get("nc", "")))
    if count is not None and count != len(names):
        reading.faults.append(Fault(where, 0, f"nc is {count}, but there are {len(names)} names.", Cost.KEPT))
    return names


def _whole(text: str) -> int | None:
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _pictures(tree: Tree, settings: str, body: Mapping[str, Any], reading: Reading) -> dict[str, str]:
    """The pictures to take with their part: those that `data.yaml` names, else all."""
    by_part: dict[str, dict[str, None]] = {}
    for key, told in body.items():
        part = PARTS.get(str(key).lower())
        if part is None or not told:
            continue
        for place in told if isinstance(told, list) else [told]:
            paths = list(_of_place(tree, settings, str(body.get("path") or ""), str(place), reading))
            if not paths:
                reading.faults.append(Fault(settings, 0, f"{key}: {place} has no pictures here."[:300]))
            by_part.setdefault(part, {}).update(dict.fromkeys(paths))
    found = _parted(settings, by_part, reading)
    if not found:
        return {path: part_of(path) for path in tree.pictures}
    if outside := [path for path in tree.pictures if path not in found]:
        reading.faults.append(
            Fault(
                settings,
                0,
                f"{len(outside):,} pictures are in none of its parts and were left, the first of them {outside[0]}.",
            )
        )
    return dict(sorted(found.items()))


def _parted(settings: str, by_part: dict[str, dict[str, None]], reading: Reading) -> dict[str, str]:
    """Each picture's part. One that is in several counts to the last of train, val, test: the holdout is never trained
    on. Where two parts are the same pictures altogether, they tell no split."""
    found: dict[str, str] = {}
    for part in ("train", "val", "test"):
        mine = by_part.get(part, {})
        twin = next((one for one, other in by_part.items() if one != part and other == mine and mine), "")
        if twin:
            if part == "val" or (part == "test" and twin == "train"):
                note = f"{twin} and {part} are the same pictures, so they tell no split."
                reading.faults.append(Fault(settings, 0, note, Cost.KEPT))
            found |= {path: found.get(path, "") for path in mine}
            continue
        for path in mine:
            if before := found.get(path):
                note = f"{path} is in {before} and in {part}."
                reading.faults.append(Fault(settings, 0, note, Cost.KEPT, path))
            found[path] = part
    return found


def _of_place(tree: Tree, settings: str, base: str, place: str, reading: Reading) -> Iterator[str]:
    """The pictures of one entry: of a folder, of a list file, or one picture."""
    for path in _candidates(settings, base, place):
        if path.lower().endswith(".txt") and (listed := tree.exact(path)):
            yield from _of_list(tree, listed, reading)
            return
        if is_picture(path) and (one := tree.exact(path)):
            yield one
            return
        prefix = f"{path.lower()}/" if path else ""
        if inside := [one for one in tree.pictures if one.lower().startswith(prefix)]:
            yield from inside
            return


def _candidates(settings: str, base: str, place: str) -> list[str]:
    """Where a place could lie in the tree. Paths of another machine are tried by their ends."""
    here = str(PurePosixPath(settings).parent)
    place, base = place.replace("\\", "/"), base.replace("\\", "/")
    tries = [f"{here}/{base}/{place}", f"{here}/{place}", f"{base}/{place}", place]
    if place.startswith("../"):  # Roboflow counts from a folder that its zip does not have
        tries += [f"{here}/{place.removeprefix('../')}", place.removeprefix("../")]
    parts = normal(place).split("/")
    tries += ["/".join(parts[start:]) for start in range(1, len(parts))]
    # A place that comes out as the whole tree is meant only where it is written so.
    whole = normal(place) == ""
    return [path for path in dict.fromkeys(normal(one) for one in tries) if path or whole]


def _of_list(tree: Tree, listed: str, reading: Reading) -> Iterator[str]:
    try:
        lines = tree.text(listed).splitlines()
    except NoTruth as error:
        reading.faults.append(Fault(listed, 0, error.message))
        return
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        path = tree.picture(line, listed, any_ending=True)
        if path is None:
            reading.faults.append(Fault(listed, number, f"There is no picture {line.strip()!r}."[:300]))
        else:
            yield path


def _labels_of(tree: Tree, path: str) -> str | None:
    """The label file of a picture: in `labels` in place of the last folder `images`, else beside it."""
    stem = path.rpartition(".")[0]
    tries = [f"{stem}.txt"]
    parts = stem.split("/")
    for place in range(len(parts) - 2, -1, -1):
        if parts[place].lower() == "images":
            tries.insert(0, "/".join([*parts[:place], "labels", *parts[place + 1 :]]) + ".txt")
            break
    else:
        tries.append("/".join([*parts[:-1], "labels", parts[-1]]) + ".txt")
        tries.append("/".join(["labels", parts[-1]]) + ".txt")
    return next((found for one in tries if (found := tree.exact(one))), None)


def _read_labels(tree: Tree, picture: Picture, names: Mapping[int, str | None], faults: list[Fault]) -> None:
    file = picture.labels or ""
    try:
        text = tree.text(file)
    except NoTruth as error:
        faults.append(Fault(file, 0, error.message, Cost.HIDDEN, picture.path))
        return
    picture.told = True
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            box, note = _line(line.split(), number, names)
        except _Bad as bad:
            faults.append(Fault(file, number, str(bad)[:500], bad.cost, picture.path))
            continue
        picture.boxes.append(box)
        if note:
            faults.append(Fault(file, number, note, Cost.KEPT, picture.path))


class _Bad(Exception):
    def __init__(self, message: str, cost: Cost = Cost.HIDDEN) -> None:
        super().__init__(message)
        self.cost = cost


def _line(words: list[str], number: int, names: Mapping[int, str | None]) -> tuple[RawBox, str]:
    """A box and what is to be said of its line. Raises _Bad."""
    try:
        values = [float(word) for word in words]
    except ValueError:
        raise _Bad(f"{' '.join(words)[:80]!r} is no line of numbers.") from None
    if not all(math.isfinite(value) for value in values):
        raise _Bad("A number is not finite.")
    if len(values) < 5:
        raise _Bad(f"There are {len(values)} numbers; a box has five: class, centre x and y, width, height.")
    if values[0] != int(values[0]) or values[0] < 0:
        raise _Bad(f"The class {words[0]} is no whole number from 0 on.")
    name = names.get(int(values[0]))
    if name is None:
        raise _Bad(f"There is no class {int(values[0])}: the names go to {max(names, default=-1)}.")
    shape, note = _shape(values[1:])
    if any(abs(value) > _TOO_FAR for value in shape):
        raise _Bad("The numbers are no shares of the image between 0 and 1; they look like pixels.")
    cx, cy, w, h = shape
    if w == 0 or h == 0:
        raise _Bad("The box has no width or no height.", Cost.LEFT_OUT)
    if w < 0 or h < 0:
        raise _Bad("The box has a negative width or height.")
    return RawBox(name, cx, cy, w, h, number, fraction=True), note


def _shape(values: list[float]) -> tuple[tuple[float, float, float, float], str]:
    if len(values) == 4:
        return (values[0], values[1], values[2], values[3]), ""
    if len(values) == 5:
        return (values[0], values[1], values[2], values[3]), (
            "The sixth number, a confidence, was left out: this looks like a prediction."
        )
    if len(values) % 2:
        raise _Bad(f"There are {len(values) + 1} numbers; neither a box nor an outline has that many.")
    xs, ys = values[0::2], values[1::2]
    left, top, right, bottom = min(xs), min(ys), max(xs), max(ys)
    note = f"An outline of {len(xs)} points; the box around it was taken."
    return ((left + right) / 2, (top + bottom) / 2, right - left, bottom - top), note


def _lonely(tree: Tree, reading: Reading) -> None:
    """Label files without a picture: those that stand where label files do."""
    used = {picture.labels for picture in reading.pictures}
    # Pictures that were left on purpose keep their label files.
    used |= {_labels_of(tree, path) for path in tree.pictures}
    folders = {file.rpartition("/")[0] for file in used if file}
    for path in tree.files:
        folder, _, name = path.rpartition("/")
        if (
            path.lower().endswith(".txt")
            and path not in used
            and name.lower() not in _NOT_LABELS
            and (folder in folders or "labels" in folder.lower().split("/"))
            and not _is_list(tree, path)
        ):
            reading.faults.append(Fault(path, 0, "There is no picture for this label file."))


def _is_list(tree: Tree, path: str) -> bool:
    try:
        first = next((line for line in tree.text(path).splitlines() if line.strip()), "")
    except NoTruth:
        return False
    return is_picture(first.strip())
