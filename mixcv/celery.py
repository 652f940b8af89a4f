"""The Celery application: four queues, and beat for what must happen by the clock."""

from __future__ import annotations

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mixcv.settings")

app = Celery("mixcv")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["mixcv.kernel", "extraction", "review"])
