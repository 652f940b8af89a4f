"""The operator's part, beside the server: a namespace with version 1 of an extractor, and a key, which is printed."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import django


def main() -> None:
    asked = json.loads(sys.argv[1])
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mixcv.settings")
    django.setup()
    from extraction.packages.domain import register_version  # Django has to be set up first
    from mixcv.tenancy.domain import create_api_key, ensure_namespace

    namespace = ensure_namespace(name=asked["namespace"])
    register_version(
        namespace=namespace,
        extractor=asked["extractor"],
        version="1.0.0",
        weights_path=Path(asked["weights"]),
        parameters=asked["parameters"],
    )
    _, key = create_api_key(namespace=namespace, label="flywheel", rate_limit=0)
    sys.stdout.write(f"{key}\n")


main()
