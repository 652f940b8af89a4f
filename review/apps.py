from django.apps import AppConfig


class ReviewConfig(AppConfig):
    name = "review"
    verbose_name = "Review"

    def ready(self) -> None:
        from extraction.intake.hooks import image_panels
        from extraction.runs.hooks import chunk_written, collection_created, documents_leaving
        from extraction.truth.hooks import detections_matched
        from mixcv.kernel.frame import nav_counts
        from review.datasets.image_panel import datasets_panel
        from review.queues.domain import fill_from_chunk, make_default_queue, settle_items
        from review.queues.queries import waiting_total
        from review.verdicts.domain.effects import detections_settled, settle_matched
        from review.verdicts.domain.leaving import let_documents_go

        chunk_written.add("review.queues", fill_from_chunk)
        documents_leaving.add("review.verdicts", let_documents_go)
        collection_created.add("review.queues", make_default_queue)
        detections_settled.add("review.queues", settle_items)
        detections_matched.add("review.verdicts", settle_matched)
        nav_counts.add("review", waiting_total)
        image_panels.add("review.datasets", datasets_panel)
