from django.apps import AppConfig


class TenancyConfig(AppConfig):
    name = "mixcv.tenancy"
    label = "tenancy"
    verbose_name = "Namespaces, people and keys"
