"""A version as files: YOLO or COCO, streamed as a zip or written as a folder."""

from review.datasets.export.files import FORMATS, entries_of
from review.datasets.export.folder import export_folder, export_zip_file
from review.datasets.export.zips import stream_zip

__all__ = ["FORMATS", "entries_of", "export_folder", "export_zip_file", "stream_zip"]
