"""Tags for pages that show objects of a bucket."""

from __future__ import annotations

from django import template

from extraction.intake.models import Bucket, Object
from mixcv.tenancy.addresses import address

register = template.Library()


@register.simple_tag(takes_context=True)
def bucket_page(context: template.Context, bucket: Bucket) -> str:
    """`{% bucket_page bucket %}`: the page of a bucket of the request's namespace."""
    return address(context["request"].namespace, "bucket", bucket.public_id.removeprefix("bkt_"))


@register.simple_tag
def image_page(row: Object) -> str:
    """`{% image_page object %}`: the page of one picture with its boxes. Wants the bucket and its namespace loaded."""
    bucket = row.bucket
    return address(bucket.namespace, "image-page", bucket.public_id.removeprefix("bkt_"), row.public_id)


@register.filter
def number_of(count: int, name: str) -> str:
    """12 of `Doubtful boxes` → 12 doubtful boxes; one of them → 1 doubtful box."""
    words = name[:1].lower() + name[1:]
    if count == 1 and words.endswith(" boxes"):
        words = words[:-2]
    return f"{count:,} {words}"


@register.filter
def verdict_words(label: str) -> str:
    """How people read a label: false_positive → not an object."""
    return {"false_positive": "not an object"}.get(label, label.replace("_", " "))
