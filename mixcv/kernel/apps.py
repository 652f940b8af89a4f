from django.apps import AppConfig


class KernelConfig(AppConfig):
    name = "mixcv.kernel"
    label = "kernel"
    verbose_name = "Jobs and events"
