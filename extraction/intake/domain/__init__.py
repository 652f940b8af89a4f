"""Writes of intake: buckets, objects, images."""

from extraction.intake.domain.buckets import create_bucket, delete_bucket, ensure_bucket, update_bucket
from extraction.intake.domain.fetching import fetch_objects, stuck_objects
from extraction.intake.domain.images import Verified, keep_images, prepare, store_image
from extraction.intake.domain.incoming import Incoming, Unsupported
from extraction.intake.domain.objects import InUse, add_objects, delete_objects, refetch, update_object
from extraction.intake.domain.plan import Outcome

__all__ = [
    "InUse",
    "Incoming",
    "Outcome",
    "Unsupported",
    "Verified",
    "add_objects",
    "create_bucket",
    "delete_bucket",
    "delete_objects",
    "ensure_bucket",
    "fetch_objects",
    "keep_images",
    "prepare",
    "refetch",
    "store_image",
    "stuck_objects",
    "update_bucket",
    "update_object",
]
