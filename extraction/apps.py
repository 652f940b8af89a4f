from django.apps import AppConfig


class ExtractionConfig(AppConfig):
    name = "extraction"
    verbose_name = "Images and detections"

    def ready(self) -> None:
        from extraction.imports.domain import KIND as TRUTH_IMPORT
        from extraction.imports.queries import describe_imports
        from extraction.intake.hooks import bucket_leaving, objects_changed, objects_leaving, objects_ready
        from extraction.runs.domain import add_ready_objects
        from extraction.runs.domain.documents import follow_objects, leave_with_objects, stay_with_collections
        from extraction.runs.hooks import chunk_written, collection_leaving, documents_leaving
        from extraction.runs.jobs import BATCH
        from extraction.runs.queries import stuck_batches
        from extraction.search.domain.leaving import leave_collection
        from extraction.search.indexing import KIND, cancel_index, describe_indices
        from extraction.search.stages import register_stages
        from extraction.truth.matching import match_chunk
        from extraction.truth.wishes import wish_for_leaving
        from mixcv.kernel.frame import stuck_jobs
        from mixcv.kernel.jobs import JobKind, job_kinds

        objects_ready.add("extraction.runs", add_ready_objects)
        objects_changed.add("extraction.runs", follow_objects)
        objects_leaving.add("extraction.runs", leave_with_objects)
        bucket_leaving.add("extraction.runs", stay_with_collections)
        collection_leaving.add("extraction.search", leave_collection)
        job_kinds.add("batch", BATCH)
        stuck_jobs.add("extraction.runs", stuck_batches)
        job_kinds.add(
            "vector_index", JobKind(KIND, "engine_object_processing", cancel_index, describe_indices)
        )
        imports = JobKind(TRUTH_IMPORT, "engine_object_processing", describe=describe_imports)
        job_kinds.add("truth_import", imports)
        # Before review fills its queues: what is decided already does not go into them.
        chunk_written.add("extraction.truth", match_chunk)
        documents_leaving.add("extraction.truth", wish_for_leaving)
        register_stages()
