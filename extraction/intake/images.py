"""Bytes that somebody calls an image: verified by decoding, turned upright, brought to a form that all readers share.

Pure functions over bytes. Refused: SVG (it is a program), animations and files of several pages (they are no one
picture), and whatever does not decode to its end.
"""

from __future__ import annotations

import io
import struct
import zlib
from typing import NamedTuple

import numpy as np
from django.conf import settings
from PIL import Image as Pillow
from PIL import ImageFile

from mixcv.kernel.errors import InvalidInput, TooLarge

ALLOWED = "JPEG, PNG, WebP, BMP, TIFF and GIF"
# Our own bound, from the settings, is checked before anything is decoded.
Pillow.MAX_IMAGE_PIXELS = None

_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")
_MIME = {
    "JPEG": "image/jpeg",
    "MPO": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
    "BMP": "image/bmp",
    "TIFF": "image/tiff",
    "GIF": "image/gif",
}
# Formats and modes that every reader takes as they are.
_PLAIN = {"JPEG": {"RGB", "L"}, "MPO": {"RGB", "L"}, "PNG": {"RGB", "L", "P"}, "WEBP": {"RGB"}}
_SIGNS = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG", "PNG"),
    (b"GIF8", "GIF"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"RIFF", "WebP"),
)
_ORIENTATION = 0x0112
_TURNS = {
    2: Pillow.Transpose.FLIP_LEFT_RIGHT,
    3: Pillow.Transpose.ROTATE_180,
    4: Pillow.Transpose.FLIP_TOP_BOTTOM,
    5: Pillow.Transpose.TRANSPOSE,
    6: Pillow.Transpose.ROTATE_270,
    7: Pillow.Transpose.TRANSVERSE,
    8: Pillow.Transpose.ROTATE_90,
}
# What Pillow's decoders raise on bytes that are not what they promise.
_BROKEN = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    EOFError,
    OverflowError,
    AttributeError,
    RuntimeError,
    struct.error,
    zlib.error,
)


class EmptyFile(InvalidInput):
    code = "empty_file"


class NotAnImage(InvalidInput):
    code = "not_an_image"


class SvgRefused(InvalidInput):
    code = "svg_refused"


class AnimationRefused(InvalidInput):
    code = "animation_refused"


class DamagedImage(InvalidInput):
    code = "damaged_image"


class TooManyPixels(InvalidInput):
    code = "too_many_pixels"


class FileTooLarge(TooLarge):
    code = "file_too_large"


class Upright(NamedTuple):
    """A verified picture. `data` is the original where that serves as it is."""

    data: bytes
    mime: str
    width: int
    height: int
    original_mime: str


def check_size(size: int) -> None:
    """Refuse by length alone, before anything is read. Raises EmptyFile, FileTooLarge."""
    if size == 0:
        raise EmptyFile("The file is empty (0 bytes). Send it again, whole.", field="data")
    most = settings.MIXCV_MAX_IMAGE_BYTES
    if size > most:
        raise FileTooLarge(
            f"The file has {size / 1e6:,.1f} MB; at most {most / 1e6:,.1f} MB are allowed.", field="data"
        )


def verify(data: bytes, declared: str = "") -> Upright:
    """Decode `data` whole and return its upright working form; `width` and `height` are that form's, in pixels.

    `declared` is the content type that came with it; the content decides, the type is named in the message only.
    Raises EmptyFile, FileTooLarge, SvgRefused, NotAnImage, TooManyPixels, AnimationRefused, DamagedImage.
    """
    check_size(len(data))
    _refuse_text(data, declared)
    try:
        picture = Pillow.open(io.BytesIO(data), formats=_FORMATS)
    except _BROKEN:
        if form := next((form for sign, form in _SIGNS if data.startswith(sign)), None):
            raise DamagedImage(
                f"The {form} image is damaged or cut off at its beginning.", field="data"
            ) from None
        raise NotAnImage(
            f"{_called(declared)}, but its content is none that is known. Send {ALLOWED}.", field="data"
        ) from None
    with picture:
        return _decode(picture, data)


def stored_frame(data: bytes) -> tuple[int, int, int]:
    """Width and height of a verified picture before it is turned, and its EXIF orientation, 1 where it says nothing."""
    with Pillow.open(io.BytesIO(data), formats=_FORMATS) as picture:
        turn = _turn(picture)
        orientation = next((value for value, one in _TURNS.items() if one == turn), 1)
        return picture.width, picture.height, orientation


def _decode(picture: ImageFile.ImageFile, data: bytes) -> Upright:
    form = picture.format or ""
    most = settings.MIXCV_MAX_IMAGE_PIXELS
    if picture.width * picture.height > most:
        raise TooManyPixels(
            f"The image has {picture.width:,} × {picture.height:,} pixels; "
            f"at most {most / 1e6:,.1f} million are allowed.",
            field="data",
        )
    try:
        if form != "MPO" and getattr(picture, "n_frames", 1) > 1:
            raise AnimationRefused(
                f"This {form} has several pictures in it. Send each as a file of its own.", field="data"
            )
        picture.load()
    except _BROKEN as error:
        raise DamagedImage(f"The {form} image is damaged or cut off: {error}.", field="data") from None
    except MemoryError:
        raise TooManyPixels("The image does not fit into memory. Send a smaller one.", field="data") from None
    turn = _turn(picture)
    plain = picture.mode in _PLAIN.get(form, set()) and "transparency" not in picture.info
    if plain and turn is None:
        return Upright(data, _MIME[form], picture.width, picture.height, _MIME[form])
    flat = _eight_bit(picture)
    if turn is not None:
        flat = flat.transpose(turn)
    encoded, mime = _encode(
        flat,
        lossy=form in {"JPEG", "MPO"},
        profile=picture.info.get("icc_profile"),
        same=flat.mode == picture.mode,
    )
    return Upright(encoded, mime, flat.width, flat.height, _MIME[form])


def _turn(picture: Pillow.Image) -> Pillow.Transpose | None:
    """How to turn the picture by its EXIF tag. A tag with a value that does not exist (65537) says nothing."""
    try:
        value = picture.getexif().get(_ORIENTATION)
    except _BROKEN:
        return None
    return _TURNS.get(value) if isinstance(value, int) else None


def _eight_bit(picture: Pillow.Image) -> Pillow.Image:
    """Three channels or one, eight bits each, transparent parts on white."""
    if picture.mode.startswith("I;16"):
        # The upper byte: the same scale for every picture of a series.
        return Pillow.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
    if picture.mode in {"I", "F"}:
        values = np.nan_to_num(np.asarray(picture, dtype=np.float64), posinf=0, neginf=0)
        low, high = float(values.min()), float(values.max())
        return Pillow.fromarray(((values - low) * (255 / ((high - low) or 1))).astype(np.uint8))
    if picture.mode in {"1", "L"} and "transparency" not in picture.info:
        return picture.convert("L")
    if picture.mode in {"RGBA", "LA", "PA", "RGBa", "La"} or "transparency" in picture.info:
        ground = Pillow.new("RGBA", picture.size, "white")
        ground.alpha_composite(picture.convert("RGBA"))
        return ground.convert("RGB")
    return picture.convert("RGB")


def _encode(flat: Pillow.Image, *, lossy: bool, profile: bytes | None, same: bool) -> tuple[bytes, str]:
    out = io.BytesIO()
    # A profile of CMYK says nothing about the RGB that was made of it.
    options = {"icc_profile": profile} if profile and same else {}
    if lossy:
        flat.save(out, "JPEG", quality=95, subsampling=0, **options)
        return out.getvalue(), "image/jpeg"
    flat.save(out, "PNG", compress_level=3, **options)
    return out.getvalue(), "image/png"


def _refuse_text(data: bytes, declared: str) -> None:
    head = data[:2048].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if (
        "svg" in declared.lower()
        or head.startswith(b"<svg")
        or (head.startswith((b"<?xml", b"<!doctype", b"<!--")) and b"<svg" in head)
    ):
        raise SvgRefused(f"SVG is not taken: it is a program, not a picture. Send {ALLOWED}.", field="data")
    if head.startswith((b"<!doctype html", b"<html")):
        raise NotAnImage(f"{_called(declared)}, but it is a web page. Send {ALLOWED}.", field="data")
    if head.startswith(b"%pdf"):
        raise NotAnImage(f"{_called(declared)}, but it is a PDF. Send {ALLOWED}.", field="data")
    if b"\x00" not in data[:2048] and _reads_as_text(data[:2048]):
        # What nobody called an image is not contradicted.
        plain = declared and not declared.lower().startswith("image/")
        what = "The file is text, no image" if plain else f"{_called(declared)}, but it is text"
        raise NotAnImage(f"{what}. Send {ALLOWED}.", field="data")


def _reads_as_text(head: bytes) -> bool:
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        # A sign that the cut went through is no fault.
        if error.start < len(head) - 4:
            return False
        text = head[: error.start].decode("utf-8")
    return all(sign.isprintable() or sign in "\t\r\n" for sign in text)


def _called(declared: str) -> str:
    return f"The file came as {declared}" if declared else "The file came as an image"
