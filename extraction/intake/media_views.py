"""Pictures for pages: the working image, its thumbnail, and crops of boxes."""

from __future__ import annotations

import hashlib
import math

from django.http import FileResponse, Http404, HttpResponse, HttpResponseBase
from django.utils.cache import get_conditional_response
from django.views.decorators.http import require_safe

from extraction.intake import media
from extraction.intake.models import Image
from mixcv.kernel import storage
from mixcv.kernel.errors import InvalidInput
from mixcv.kernel.geometry import Box, clip
from mixcv.tenancy.request import AppRequest


@require_safe
def image_file(request: AppRequest, pk: int) -> HttpResponseBase:
    """The upright working image that all boxes refer to."""
    image = _image(request, pk)
    tag = _tag(image.working.sha256, "file")
    if unchanged := get_conditional_response(request, etag=tag):
        return _headers(unchanged, tag)
    file = storage.open_blob(image.working.storage_name)
    response = FileResponse(file, content_type=image.working.mime_type)
    response["Content-Length"] = str(image.working.size)
    return _headers(response, tag)


@require_safe
def image_thumb(request: AppRequest, pk: int) -> HttpResponseBase:
    """A small JPEG for lists."""
    image = _image(request, pk)
    tag = _tag(image.working.sha256, f"thumb-{media.THUMB_SIDE}")
    if unchanged := get_conditional_response(request, etag=tag):
        return _headers(unchanged, tag)
    return _headers(HttpResponse(media.thumbnail(image), content_type="image/jpeg"), tag)


@require_safe
def image_crop(request: AppRequest, pk: int) -> HttpResponseBase:
    """A square around `?detection=<key>` or `?box=cx,cy,w,h` (pixels), `?size=96` or `192`."""
    image = _image(request, pk)
    side = _side(request.GET.get("size", str(media.CROP_SIDES[0])))
    box = clip(_box(request, image), image.width, image.height, field="box")
    tag = _tag(image.working.sha256, f"crop-{side}-{box}")
    if unchanged := get_conditional_response(request, etag=tag):
        return _headers(unchanged, tag)
    return _headers(HttpResponse(media.crop(image, box, side=side), content_type="image/jpeg"), tag)


def _image(request: AppRequest, pk: int) -> Image:
    found = Image.objects.select_related("working").filter(namespace=request.namespace, pk=pk).first()
    if found is None:
        raise Http404(f"There is no image {pk} in {request.namespace.name}.")
    return found


def _side(text: str) -> int:
    if text not in {str(side) for side in media.CROP_SIDES}:
        raise InvalidInput(f"size must be one of {', '.join(map(str, media.CROP_SIDES))}.", field="size")
    return int(text)


def _box(request: AppRequest, image: Image) -> Box:
    if "detection" in request.GET:
        text = request.GET["detection"]
        # Detections belong to a later room; the row is reached from the image.
        row = (
            image.detections.filter(pk=int(text)).values_list("cx", "cy", "w", "h").first()
            if _is_key(text)
            else None
        )
        if row is None:
            raise Http404("There is no such detection on this image.")
        return Box(*row)
    parts = request.GET.get("box", "").split(",")
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        numbers = []
    if len(numbers) != 4 or not all(math.isfinite(number) for number in numbers):
        raise InvalidInput("Give ?box=cx,cy,w,h in pixels, or ?detection=.", field="box")
    return Box(*numbers)


def _is_key(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19


def _tag(sha256: str, what: str) -> str:
    return f'"{hashlib.sha256(f"{sha256} {what}".encode()).hexdigest()[:32]}"'


def _headers(response: HttpResponseBase, tag: str) -> HttpResponseBase:
    response["ETag"] = tag
    response["Cache-Control"] = "private, max-age=31536000, immutable"
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = "sandbox; default-src 'none'"
    return response
