"""Writes of imports of ground truth."""

from extraction.imports.domain.running import run_import
from extraction.imports.domain.starting import (
    KIND,
    import_truth,
    import_upload,
    import_zip,
    lost_imports,
    start_import,
)

__all__ = [
    "KIND",
    "import_truth",
    "import_upload",
    "import_zip",
    "lost_imports",
    "run_import",
    "start_import",
]
