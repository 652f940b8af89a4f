from django.apps import AppConfig


class ReviewConfig(AppConfig):
    name = "review"
    verbose_name = "Review"

    def ready(self) -> None:
        from extraction.intake.hooks import image_panels
        from extraction.packages.hooks import production_gate
        from extraction.runs.hooks import chunk_written, collection_created, documents_leaving
        from extraction.truth.hooks import detections_matched, images_rematched, images_weighed
        from mixcv.kernel.frame import nav_counts
        from mixcv.kernel.jobs import job_kinds
        from review.datasets.image_panel import datasets_panel
        from review.evaluation.gate import production_answer
        from review.evaluation.jobs import EVALUATION
        from review.queues.domain import fill_from_chunk, make_default_queue, settle_items
        from review.queues.following import (
            follow_matching,
            follow_weighing,
            let_items_go,
            lock_before_matching,
        )
        from review.queues.queries import waiting_total
        from review.training.jobs import TRAINING
        from review.verdicts.domain.effects import detections_settled, settle_matched, settle_rematched
        from review.verdicts.domain.leaving import let_documents_go

        chunk_written.add("review.queues", fill_from_chunk)
        documents_leaving.add("review.verdicts", let_documents_go)
        documents_leaving.add("review.queues", let_items_go)
        collection_created.add("review.queues", make_default_queue)
        detections_settled.add("review.queues", settle_items)
        detections_matched.add("review.verdicts", settle_matched)
        # Queues are locked all at once, before the first of them is written.
        images_rematched.add("review.queues.lock", lock_before_matching)
        images_rematched.add("review.verdicts", settle_rematched)
        images_rematched.add("review.queues", follow_matching)
        images_weighed.add("review.queues", follow_weighing)
        nav_counts.add("review", waiting_total)
        job_kinds.add("training", TRAINING)
        job_kinds.add("evaluation", EVALUATION)
        production_gate.add("review.evaluation", production_answer)
        image_panels.add("review.datasets", datasets_panel)
