from django.apps import AppConfig


class TenancyConfig(AppConfig):
    name = "mixcv.tenancy"
    label = "tenancy"
    verbose_name = "Namespaces, people and keys"

    def ready(self) -> None:
        import mixcv.tenancy.schema  # noqa: F401 -- the OpenAPI document finds it once it is loaded
