"""The files of a source: relative paths with `/`, whatever the machine calls them."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

from extraction.imports.formats.base import NoTruth, is_picture

MOST_TEXT = 16 * 2**20
MOST_JSON = 512 * 2**20  # of a whole set in one file
_LITTER = {"__MACOSX", "__pycache__", ".git"}


class Tree:
    """A folder, listed once. `find` forgives what people write in label files: case, `./`, a folder too many."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files = _listed(root)
        self.pictures = [path for path in self.files if is_picture(path)]
        self._known = set(self.files)
        self._lower = {path.lower(): path for path in reversed(self.files)}
        self._by_name: dict[str, list[str]] = {}
        self._by_stem: dict[str, list[str]] = {}
        for path in self.pictures:
            name = path.rpartition("/")[2].lower()
            self._by_name.setdefault(name, []).append(path)
            self._by_stem.setdefault(name.rpartition(".")[0], []).append(path)

    def __contains__(self, path: str) -> bool:
        return path in self._known

    def path(self, name: str) -> Path:
        return self.root / name

    def text(self, name: str, most: int = MOST_TEXT) -> str:
        """A file as text, without a byte order mark. Raises NoTruth with words that need no file name."""
        data = self.bytes(name, most)
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError:
            pass
        try:
            if data[:2] in {b"\xff\xfe", b"\xfe\xff"}:
                return data.decode("utf-16")
        except UnicodeDecodeError:
            pass
        raise NoTruth("It is no text in UTF-8.")

    def bytes(self, name: str, most: int = MOST_TEXT) -> bytes:
        try:
            if self.path(name).stat().st_size > most:
                raise NoTruth(f"It has more than {most // 2**20} MiB, the most that is read of labels.")
            return self.path(name).read_bytes()
        except OSError as error:
            raise NoTruth(f"It cannot be read: {error.strerror}.") from None

    def exact(self, path: str) -> str | None:
        """The file of this path, in whatever case."""
        path = normal(path)
        return path if path in self._known else self._lower.get(path.lower())

    def picture(self, told: str, near: str, *, any_ending: bool = False) -> str | None:
        """The picture that a label file in `near` calls `told`; None where there is none, or several fit alike.

        Tried: the path as told from the label file's folder and from the top; then the name alone, where the picture
        whose folder has most in common with what is told wins, then the one whose folder is like the label file's.
        """
        wanted = normal(told.replace("\\", "/"))
        here = near.rpartition("/")[0]
        for base in (f"{here}/{wanted}", wanted):
            found = self.exact(base)
            if found is not None and is_picture(found):
                return found
        name = wanted.rpartition("/")[2].lower()
        fit = self._by_name.get(name, [])
        if not fit and any_ending:
            fit = self._by_stem.get(name.rpartition(".")[0] if is_picture(name) else name, [])
        if len(fit) <= 1:
            return fit[0] if fit else None
        ranked = sorted(((_alike(path, wanted), _near(path, here)), path) for path in fit)
        return ranked[-1][1] if ranked[-1][0] != ranked[-2][0] else None


def normal(path: str) -> str:
    """Without `./`, doubled slashes and what leads above the top."""
    parts: list[str] = []
    for part in PurePosixPath(path.strip()).parts:
        if part == "..":
            if parts:
                parts.pop()
        elif part not in {".", "/", "//"}:
            parts.append(part)
    return "/".join(parts)


def _alike(path: str, told: str) -> int:
    """How many folders, counted from the file, are the same."""
    number = 0
    for a, b in zip(reversed(path.lower().split("/")), reversed(told.lower().split("/")), strict=False):
        if a != b:
            break
        number += 1
    return number


def _near(path: str, folder: str) -> int:
    """How many folders of the path stand in the label file's folder, too."""
    return len(set(path.lower().split("/")[:-1]) & set(folder.lower().split("/")))


def _listed(root: Path) -> list[str]:
    found = []
    for folder, names, files in os.walk(root):
        names[:] = sorted(name for name in names if name not in _LITTER)
        place = Path(folder).relative_to(root).as_posix()
        prefix = "" if place == "." else f"{place}/"
        found += [prefix + name for name in files if not name.startswith("._") and name != ".DS_Store"]
    return sorted(found)
