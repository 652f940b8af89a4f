"""What is taken as an image, and what is made of it."""

from __future__ import annotations

import contextlib
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Pillow

from extraction.intake import images
from mixcv.kernel.errors import DomainError
from tests.extraction.intake import pictures as make


def opened(upright: images.Upright) -> Pillow.Image:
    return Pillow.open(io.BytesIO(upright.data))


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_it_keeps_the_bytes_of_an_upright_image_as_they_are(form):
    data = make.encode(form=form)
    upright = images.verify(data)
    assert upright.data is data
    assert (upright.width, upright.height) == (60, 40)
    assert upright.mime == upright.original_mime == f"image/{form.lower()}"


@pytest.mark.parametrize("form", ["BMP", "TIFF", "GIF"])
def test_it_makes_a_png_of_formats_that_not_every_reader_takes(form):
    upright = images.verify(make.encode(make.pixels().quantize() if form == "GIF" else None, form=form))
    assert (upright.mime, upright.original_mime) == ("image/png", f"image/{form.lower()}")
    assert opened(upright).getpixel((5, 5)) == (250, 10, 10)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_it_turns_an_image_upright_once(orientation):
    upright = images.verify(make.oriented(orientation))
    wide = orientation < 5
    assert (upright.width, upright.height) == ((60, 40) if wide else (40, 60))
    picture = opened(upright)
    assert picture.getexif().get(0x0112, 1) == 1
    expected = make.pixels()
    if (turn := images._TURNS.get(orientation)) is not None:
        expected = expected.transpose(turn)
    assert np.abs(np.asarray(picture, int) - np.asarray(expected, int)).mean() < 8
    assert images.verify(upright.data).data is upright.data


@pytest.mark.parametrize("orientation", [0, 9, 255, 65537])
def test_it_ignores_an_orientation_that_does_not_exist(orientation):
    data = make.oriented(orientation)
    assert images.verify(data).data is data


def test_it_turns_a_png_too_without_loss():
    upright = images.verify(make.oriented(6, form="PNG"))
    assert (upright.mime, upright.width, upright.height) == ("image/png", 40, 60)


def test_it_turns_cmyk_into_rgb():
    upright = images.verify(make.encode(make.pixels().convert("CMYK")))
    assert (opened(upright).mode, upright.mime) == ("RGB", "image/jpeg")


def test_it_brings_sixteen_bits_to_eight_by_the_upper_byte():
    grid = np.full((10, 10), 0x8040, np.uint16)
    upright = images.verify(make.encode(Pillow.fromarray(grid), form="PNG"))
    assert opened(upright).getpixel((0, 0)) == 0x80


def test_it_puts_transparent_parts_on_white():
    upright = images.verify(make.encode(Pillow.new("RGBA", (8, 8), (0, 0, 0, 0)), form="PNG"))
    assert opened(upright).getpixel((0, 0)) == (255, 255, 255)


def test_it_puts_a_transparent_palette_on_white():
    palette = Pillow.new("P", (8, 8), 0)
    palette.putpalette([10, 20, 30])
    upright = images.verify(make.encode(palette, form="PNG", transparency=0))
    assert opened(upright).getpixel((0, 0)) == (255, 255, 255)


def test_it_refuses_zero_bytes():
    with pytest.raises(images.EmptyFile, match="0 bytes"):
        images.verify(b"")


def test_it_refuses_a_truncated_image():
    data = make.encode(make.pixels(400, 400))
    with pytest.raises(images.DamagedImage, match="cut off"):
        images.verify(data[: len(data) // 2])


@pytest.mark.parametrize("form", ["PNG", "WEBP", "BMP", "TIFF", "GIF"])
def test_it_refuses_a_truncated_image_of_every_format(form):
    noise = Pillow.fromarray(np.random.default_rng(1).integers(0, 255, (80, 80, 3), dtype=np.uint8))
    data = make.encode(noise, form=form)
    with pytest.raises(DomainError):
        images.verify(data[: len(data) // 2])


def test_it_refuses_too_many_bytes_before_decoding(settings):
    settings.MIXCV_MAX_IMAGE_BYTES = 1000
    with pytest.raises(images.FileTooLarge, match="at most"):
        images.verify(b"x" * 1001)


def test_it_refuses_a_bomb_before_decoding():
    with pytest.raises(images.TooManyPixels, match="60,000 × 60,000 pixels"):
        images.verify(make.png_bomb())


def test_it_refuses_more_pixels_than_the_setting_allows(settings):
    settings.MIXCV_MAX_IMAGE_PIXELS = 60 * 40 - 1
    with pytest.raises(images.TooManyPixels):
        images.verify(make.encode())


@pytest.mark.parametrize(
    ("data", "declared"), [(make.SVG, ""), (b"  <svg/>", "image/png"), (make.encode(), "image/svg+xml")]
)
def test_it_refuses_svg(data, declared):
    with pytest.raises(images.SvgRefused, match="program"):
        images.verify(data, declared)


def test_it_refuses_text_that_came_as_an_image():
    with pytest.raises(images.NotAnImage, match=r"came as image/jpeg, but it is text.*JPEG, PNG"):
        images.verify("Grüße, this is no picture".encode(), "image/jpeg")


def test_text_that_nobody_called_an_image_is_said_to_be_text():
    with pytest.raises(images.NotAnImage, match=r"^The file is text, no image\. Send JPEG"):
        images.verify(b"notes", "text/plain")


def test_an_empty_file_is_not_told_which_formats_there_are():
    with pytest.raises(images.EmptyFile, match=r"^The file is empty \(0 bytes\)\. Send it again, whole\.$"):
        images.verify(b"")


def test_it_refuses_a_web_page_and_a_pdf():
    with pytest.raises(images.NotAnImage, match="web page"):
        images.verify(b"<!DOCTYPE html><html></html>", "image/png")
    with pytest.raises(images.NotAnImage, match="PDF"):
        images.verify(b"%PDF-1.7 \x00", "image/png")


def test_it_takes_an_image_whatever_type_it_came_with():
    assert images.verify(make.encode(), "application/octet-stream").mime == "image/jpeg"


def test_it_refuses_an_animation():
    frames = [make.pixels(seed=n).quantize() for n in (1, 2)]
    with pytest.raises(images.AnimationRefused, match="several pictures"):
        images.verify(make.encode(frames[0], form="GIF", save_all=True, append_images=frames[1:]))


@given(st.binary(max_size=400))
def test_any_bytes_give_an_image_or_a_named_error(data):
    with contextlib.suppress(DomainError):
        images.verify(data)


@given(
    st.integers(0, 600), st.integers(0, 255), st.sampled_from(["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP"])
)
def test_any_broken_byte_gives_an_image_or_a_named_error(place, value, form):
    data = bytearray(make.encode(make.pixels(24, 16), form=form))
    data[place % len(data)] = value
    with contextlib.suppress(DomainError):
        images.verify(bytes(data))
