"""Archives from outside: what is in them, and unpacking without a way out of the folder.

Refused in both forms: a path that leaves the folder, a link or device, two files of one name, too many files, too many
bytes, and a file that swells more than anything real does (a bomb).
"""

from __future__ import annotations

import gzip
import io
import os
import shutil
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from mixcv.kernel.errors import InvalidInput

# What operating systems and Python leave behind; never looked at and never unpacked.
_LITTER = {"__MACOSX", "__pycache__", ".DS_Store", ".git"}
_SWELLS_FROM = 16 * 2**20
_LONGEST_READ = 16 * 2**20
_END_RECORD = 22 + 65_535
_LONGEST_LINE = 2_048  # of a zip's table of contents, for one file


class ArchiveRefused(InvalidInput):
    """The archive is broken, or holds what no archive needs."""

    code = "archive_refused"


@dataclass(frozen=True)
class Bounds:
    """How much an archive may hold. `ratio`: unpacked bytes for each packed one, beyond the first 16 MiB."""

    files: int
    unpacked: int
    ratio: int = 200


PACKAGE = Bounds(files=2_000, unpacked=1 * 2**30)


@dataclass(frozen=True)
class Entry:
    """A file in an archive; `path` is below its top."""

    path: str
    size: int


def list_zip(path: Path, bounds: Bounds = PACKAGE) -> list[Entry]:
    """The files of a zip, all checked. Raises ArchiveRefused."""
    with _opened_zip(path, bounds) as archive:
        return [entry for _, entry in _zip_entries(archive, path.stat().st_size, bounds)]


def read_zip(path: Path, wanted: Callable[[Entry], bool], bounds: Bounds = PACKAGE) -> dict[str, bytes]:
    """The bytes of the wanted files by path. Raises ArchiveRefused."""
    with _opened_zip(path, bounds) as archive:
        chosen = [pair for pair in _zip_entries(archive, path.stat().st_size, bounds) if wanted(pair[1])]
        return {entry.path: _whole(archive, info) for info, entry in chosen}


def unpack_zip(path: Path, target: Path, *, below: str = "", bounds: Bounds = PACKAGE) -> None:
    """Unpack the files under the folder `below` into `target`, which is there whole or not at all."""
    prefix = f"{below}/" if below else ""
    with _opened_zip(path, bounds) as archive, whole_folder(target) as folder:
        for info, entry in _zip_entries(archive, path.stat().st_size, bounds):
            if entry.path.startswith(prefix):
                with archive.open(info) as source:
                    _copy(source, folder / entry.path.removeprefix(prefix), info.file_size)


def list_tar(path: Path, bounds: Bounds) -> list[Entry]:
    """The files of a `.tar.gz`, all checked; it is read to its end. Raises ArchiveRefused."""
    with _opened_tar(path) as archive:
        return [entry for _, entry in _tar_entries(archive, path.stat().st_size, bounds)]


def check_tar_begins(path: Path) -> None:
    """Whether this is a `.tar.gz` at all: its first entry can be read. Raises ArchiveRefused."""
    with _opened_tar(path) as archive:
        if archive.next() is None:
            raise ArchiveRefused("The archive is empty.", field="file")


def unpack_tar(path: Path, target: Path, bounds: Bounds) -> list[Entry]:
    """Unpack a `.tar.gz` into `target`, which is there whole or not at all; gives its files."""
    found = []
    with _opened_tar(path) as archive, whole_folder(target) as folder:
        for info, entry in _tar_entries(archive, path.stat().st_size, bounds):
            source = archive.extractfile(info)
            if source is not None:
                _copy(source, folder / entry.path, info.size)
                found.append(entry)
    return found


def top_folder(entries: list[Entry], wanted: str) -> str:
    """The folder in which `wanted` stands: the top (an empty text), or the one folder that everything is in.

    Raises ArchiveRefused where it stands in neither.
    """
    paths = {entry.path for entry in entries}
    if wanted in paths:
        return ""
    tops = sorted({path.split("/", 1)[0] for path in paths})
    if len(tops) == 1 and f"{tops[0]}/{wanted}" in paths:
        return tops[0]
    holds = ", ".join(sorted(paths)[:8]) or "nothing"
    raise ArchiveRefused(
        f"There is no {wanted} in the archive, neither at its top nor in one folder there. It holds: {holds}.",
        field="file",
    )


@contextmanager
def _opened_zip(path: Path, bounds: Bounds) -> Iterator[zipfile.ZipFile]:
    try:
        with _Measured(path, bounds) as file, zipfile.ZipFile(file) as archive:
            file.opened = True
            yield archive
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise ArchiveRefused(f"This is no zip archive that can be read: {error}.", field="file") from None


class _Measured(io.FileIO):
    """A zip's file that gives no table of contents which is too long to be held in memory.

    Where the table stands and how long it is, several records at the end may say, each in its own way. So what is
    measured is what opening the archive really reads, whichever of them is believed.
    """

    def __init__(self, path: Path, bounds: Bounds) -> None:
        super().__init__(path)
        self.opened = False
        self._files = bounds.files
        self._left = bounds.files * _LONGEST_LINE + 2 * _END_RECORD

    def read(self, size: int | None = -1, /) -> bytes:
        if self.opened:
            return super().read(-1 if size is None else size)
        there = max(0, os.fstat(self.fileno()).st_size - self.tell())
        self._left -= there if size is None or size < 0 else min(size, there)
        if self._left < 0:
            raise self._too_many()
        data = super().read(-1 if size is None else size)
        if data.count(b"PK\x01\x02") > self._files:
            raise self._too_many()
        return data

    def _too_many(self) -> ArchiveRefused:
        return ArchiveRefused(f"The archive holds more than {self._files:,} files and folders.", field="file")


@contextmanager
def _opened_tar(path: Path) -> Iterator[tarfile.TarFile]:
    try:
        with _Sober(path) as stream, tarfile.open(fileobj=stream, mode="r:") as archive:
            yield archive
    except (tarfile.TarError, zlib.error, EOFError, OSError) as error:
        raise ArchiveRefused(f"This is no .tar.gz archive that can be read: {error}.", field="file") from None


def _zip_entries(
    archive: zipfile.ZipFile, packed: int, bounds: Bounds
) -> Iterator[tuple[zipfile.ZipInfo, Entry]]:
    counted = _Counted(packed, bounds)
    for info in archive.infolist():
        mode = info.external_attr >> 16
        if stat.S_IFMT(mode) not in {0, stat.S_IFREG, stat.S_IFDIR}:
            raise ArchiveRefused(
                f"{_shown(info.filename)} is a link or a device; only files are taken.", field="file"
            )
        if info.flag_bits & 0x1:
            raise ArchiveRefused("The archive is locked by a password.", field="file")
        path = _safe(info.orig_filename)
        if info.is_dir():
            counted.entry()
            continue
        counted.take(path, info.file_size)
        if not _is_litter(path):
            yield info, Entry(path, info.file_size)


def _tar_entries(
    archive: tarfile.TarFile, packed: int, bounds: Bounds
) -> Iterator[tuple[tarfile.TarInfo, Entry]]:
    counted = _Counted(packed, bounds)
    for info in archive:
        if not info.isfile() and not info.isdir():
            raise ArchiveRefused(
                f"{_shown(info.name)} is a link or a device; only files are taken.", field="file"
            )
        path = _safe(info.name)
        if info.isdir():
            counted.entry()
            continue
        counted.take(path, info.size)
        if not _is_litter(path):
            yield info, Entry(path, info.size)


class _Sober(gzip.GzipFile):
    """Gives no huge piece at once: a header that says it is gigabytes long would else be read into memory."""

    def read(self, size: int | None = -1) -> bytes:
        if size is None or size < 0 or size > _LONGEST_READ:
            raise ArchiveRefused("The archive has a header that is too long.", field="file")
        return super().read(size)


class _Counted:
    """What was seen so far, against the bounds."""

    def __init__(self, packed: int, bounds: Bounds) -> None:
        self._most = min(bounds.unpacked, _SWELLS_FROM + packed * bounds.ratio)
        self._bounds = bounds
        self._size = self._entries = 0
        self._paths: set[str] = set()

    def entry(self) -> None:
        self._entries += 1
        if self._entries > self._bounds.files:
            raise ArchiveRefused(
                f"The archive holds more than {self._bounds.files:,} files and folders.", field="file"
            )

    def take(self, path: str, size: int) -> None:
        self.entry()
        if path in self._paths:
            raise ArchiveRefused(f"The archive holds {_shown(path)} twice.", field="file")
        self._paths.add(path)
        self._size += size
        if self._size <= self._most:
            return
        if self._most < self._bounds.unpacked:
            raise ArchiveRefused(
                f"The archive swells to more than {self._bounds.ratio} times its size when unpacked.",
                field="file",
            )
        raise ArchiveRefused(
            f"The archive holds more than {self._bounds.unpacked:,} bytes unpacked.", field="file"
        )


def _safe(name: str) -> str:
    """The name as a path below the top. Raises ArchiveRefused where it leads out of it."""
    path = PurePosixPath(name)
    parts = [part for part in path.parts if part != "."]
    bad = (
        path.is_absolute()
        or ".." in parts
        or "\\" in name
        or any(ord(sign) < 32 for sign in name)
        or (len(name) > 1 and name[1] == ":")
        or len(name) > 400
    )
    if bad:
        raise ArchiveRefused(
            f"The archive has a path that is not allowed: {_shown(name)}. Only names below its top are.",
            field="file",
        )
    return "/".join(parts)


def _is_litter(path: str) -> bool:
    return not path or bool(_LITTER & set(path.split("/"))) or path.rpartition("/")[2].startswith("._")


def _shown(name: str) -> str:
    return repr(name[:100])


def _whole(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    with archive.open(info) as source:
        data = source.read(info.file_size + 1)
    if len(data) > info.file_size:
        raise ArchiveRefused(f"{_shown(info.filename)} is longer than the archive says.", field="file")
    return data


def _copy(source: IO[bytes], target: Path, size: int) -> None:
    """Copy at most `size` bytes, the number that was counted. Raises ArchiveRefused where there are more."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("xb") as out:
        left = size
        while chunk := source.read(min(1 << 20, left + 1)):
            left -= len(chunk)
            if left < 0:
                raise ArchiveRefused(f"{_shown(target.name)} is longer than the archive says.", field="file")
            out.write(chunk)


@contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """A folder to fill that becomes `target` at the end; one that is there already stays. Raises ArchiveRefused."""
    target.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=".new-", dir=target.parent))
    try:
        folder.chmod(0o750)
        yield folder
        try:
            os.rename(folder, target)
        except OSError:
            if not target.is_dir():
                raise
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise ArchiveRefused(
            f"A name in the archive is both a file and a folder: {Path(str(error.filename)).name!r}.",
            field="file",
        ) from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)
