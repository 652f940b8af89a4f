"""Writes of intake: buckets, objects, images."""

from extraction.intake.domain.buckets import create_bucket, ensure_bucket
from extraction.intake.domain.fetching import fetch_objects, stuck_objects
from extraction.intake.domain.images import Verified, keep_images, prepare, store_image
from extraction.intake.domain.incoming import Incoming, Unsupported
from extraction.intake.domain.objects import Outcome, add_objects, refetch

__all__ = [
    "Incoming",
    "Outcome",
    "Unsupported",
    "Verified",
    "add_objects",
    "create_bucket",
    "ensure_bucket",
    "fetch_objects",
    "keep_images",
    "prepare",
    "refetch",
    "store_image",
    "stuck_objects",
]
