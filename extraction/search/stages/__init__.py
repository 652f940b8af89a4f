"""The stages of a search. Higher apps add theirs to `stages` at start-up."""

from extraction.search.stages import diverse, feature_search, filtering, grouping, ordering
from extraction.search.stages.base import Context, Hit, Selection, Stage, get_stage, stages


def register_stages() -> None:
    """Call it once, at start-up."""
    for stage in (
        feature_search.STAGE,
        filtering.STAGE,
        ordering.SORT,
        ordering.LIMIT,
        ordering.SAMPLE,
        diverse.MMR,
        diverse.DEDUPLICATE,
        grouping.STAGE,
    ):
        stages.add(stage.id, stage)


__all__ = ["Context", "Hit", "Selection", "Stage", "get_stage", "register_stages", "stages"]
