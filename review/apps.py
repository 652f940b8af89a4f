from django.apps import AppConfig


class ReviewConfig(AppConfig):
    name = "review"
    verbose_name = "Review"

    def ready(self) -> None:
        from extraction.runs.hooks import chunk_written
        from review.queues.domain import fill_from_chunk

        chunk_written.add("review.queues", fill_from_chunk)
