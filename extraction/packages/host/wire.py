"""Frames between worker and host: a JSON header, then raw arrays. No pickle on either side.

Frame: 4 bytes magic, header length (uint32), payload length (uint64), header, payload. The header's
`arrays` list says of each array its name, dtype, shape; they follow one another in the payload.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

MAGIC = b"mxcv"
_PREFIX = struct.Struct("<4sIQ")
MAX_HEADER = 256 * 2**20
MAX_PAYLOAD = 2**31
_DTYPES = ("float16", "float32")


class BrokenFrame(Exception):
    """What came over the pipe is not a frame."""


@dataclass(frozen=True)
class Frame:
    """One message."""

    header: dict[str, Any]
    arrays: dict[str, NDArray[Any]] = field(default_factory=dict)


def write_frame(
    stream: BinaryIO, header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]] | None = None
) -> None:
    """Write one frame and flush it."""
    parts = [(name, np.ascontiguousarray(value)) for name, value in (arrays or {}).items()]
    listed = [{"name": name, "dtype": str(value.dtype), "shape": value.shape} for name, value in parts]
    body = json.dumps({**header, "arrays": listed}, allow_nan=False).encode()
    payload = b"".join(value.tobytes() for _, value in parts)
    stream.write(_PREFIX.pack(MAGIC, len(body), len(payload)) + body + payload)
    stream.flush()


def read_frame(stream: BinaryIO) -> Frame | None:
    """Read one frame; None where the other side closed the pipe. Raises BrokenFrame."""
    prefix = stream.read(_PREFIX.size)
    if len(prefix) < _PREFIX.size:
        return None
    magic, header_length, payload_length = _PREFIX.unpack(prefix)
    if magic != MAGIC or header_length > MAX_HEADER or payload_length > MAX_PAYLOAD:
        raise BrokenFrame(f"a frame starts with {prefix!r}")
    body, payload = stream.read(header_length), stream.read(payload_length)
    if len(body) < header_length or len(payload) < payload_length:
        return None
    try:
        header = json.loads(body)
        return Frame(header, _arrays(header.pop("arrays"), payload))
    except (ValueError, KeyError, TypeError) as error:
        raise BrokenFrame(f"a frame's header cannot be read: {error}") from error


def _arrays(listed: list[dict[str, Any]], payload: bytes) -> dict[str, NDArray[Any]]:
    arrays: dict[str, NDArray[Any]] = {}
    offset = 0
    for entry in listed:
        if entry["dtype"] not in _DTYPES:
            raise BrokenFrame(f"dtype {entry['dtype']!r} is not allowed")
        dtype, shape = np.dtype(entry["dtype"]), tuple(int(size) for size in entry["shape"])
        count = int(np.prod(shape, dtype=np.int64))
        if count < 0 or offset + count * dtype.itemsize > len(payload):
            raise BrokenFrame("an array is longer than the frame")
        arrays[str(entry["name"])] = np.frombuffer(payload, dtype, count, offset).reshape(shape)
        offset += count * dtype.itemsize
    return arrays
