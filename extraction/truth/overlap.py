"""How well boxes cover each other, in SQL: rows with centre `cx`, `cy` and size `w`, `h`."""

from __future__ import annotations

# From where on two boxes of one class, or one box over another of any class, are of one object.
SAME_OBJECT = 0.5  # IoU


def iou_sql(a: str, b: str) -> str:
    """Intersection over union of the rows `a` and `b`, 0 to 1."""
    shared = f"({_side(a, b, 'cx', 'w')} * {_side(a, b, 'cy', 'h')})"
    return f"({shared} / ({a}.w * {a}.h + {b}.w * {b}.h - {shared}))"


def _side(a: str, b: str, axis: str, size: str) -> str:
    ends = [f"{one}.{axis} {sign} {one}.{size} / 2" for sign in "+-" for one in (a, b)]
    return f"greatest(0, least({ends[0]}, {ends[1]}) - greatest({ends[2]}, {ends[3]}))"


# `class`: each class of the images' namespaces, and what it is merged into in the end. After WITH RECURSIVE.
CLASSES = """
merged AS (
    SELECT id, id AS to_id, merged_into_id, name, 0 AS depth FROM extraction_objectclass
    WHERE namespace_id IN (SELECT namespace_id FROM extraction_image WHERE id = ANY(%(images)s::bigint[]))
    UNION ALL SELECT m.id, o.id, o.merged_into_id, o.name, m.depth + 1
    FROM merged m JOIN extraction_objectclass o ON o.id = m.merged_into_id WHERE m.depth < 20),
class AS (SELECT id, to_id, name FROM merged WHERE merged_into_id IS NULL)
"""
