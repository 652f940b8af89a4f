"""The last of the installed apps: once it is ready, start-up is over and the registries close."""

from django.apps import AppConfig

from mixcv.kernel.registry import Registry


class StartupConfig(AppConfig):
    name = "mixcv.startup"
    label = "startup"

    def ready(self) -> None:
        Registry.close_all()
