from django.apps import AppConfig


class ExtractionConfig(AppConfig):
    name = "extraction"
    verbose_name = "Images and detections"

    def ready(self) -> None:
        from extraction.intake.hooks import objects_ready
        from extraction.runs.domain import add_ready_objects

        objects_ready.add("extraction.runs", add_ready_objects)
