"""A zip as a stream: stored uncompressed, in the order given, with one fixed time. Equal content is equal bytes."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Iterator
from typing import IO, Any

from review.datasets.export.files import Entry

_TIME = (1980, 1, 1, 0, 0, 0)
_UNIX = 3
_PLAIN_FILE = 0o100644 << 16
_FLUSH = 1 << 18


class _Pipe(io.RawIOBase):
    """Takes what the zip writes, to be handed on; it cannot be sought in."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.parts.append(bytes(data))
        self.size += len(data)
        return len(data)

    def take(self) -> bytes:
        taken = b"".join(self.parts)
        self.parts, self.size = [], 0
        return taken


def stream_zip(entries: Iterable[Entry]) -> Iterator[bytes]:
    """The zip's bytes, piece by piece; never a whole image or list of files at once."""
    pipe = _Pipe()
    archive = zipfile.ZipFile(pipe, "w", zipfile.ZIP_STORED)
    part: IO[bytes] | None = None
    try:
        for entry in entries:
            info = zipfile.ZipInfo(entry.name, _TIME)
            info.create_system, info.external_attr = _UNIX, _PLAIN_FILE
            part = archive.open(info, "w", force_zip64=entry.large)
            for piece in entry.pieces():
                part.write(piece)
                if pipe.size >= _FLUSH:
                    yield pipe.take()
            part.close()
    finally:  # also where the reader goes away in the middle of a file
        if part is not None:
            part.close()
        archive.close()
    yield pipe.take()
