"""Which images a dataset takes and what is on them, decided by one SQL statement.

One statement sees one state of the database, whoever writes meanwhile: that is what makes a version consistent. Its
answer has one row per candidate image and box (one row without a box where an image has none), with the rule that
takes or leaves the image.
"""

from __future__ import annotations

from typing import Any

from django.db import connection

from extraction.intake.queries import get_bucket
from review.datasets.models import Dataset
from review.datasets.policy import Policy

TAKES = ("reviewed", "accepted", "background")
LEAVES = ("partial", "unsure", "unseen", "background_over", "same_content")
# From where on two boxes of different origin are one object: of one class, and of any.
SAME_CLASS_IOU, ANY_CLASS_IOU = 0.5, 0.75


def _overlap(axis: str, size: str) -> str:
    ends = [f"{one}.{axis} {sign} {one}.{size} / 2" for sign in "+-" for one in "ab"]
    return f"greatest(0, least({ends[0]}, {ends[1]}) - greatest({ends[2]}, {ends[3]}))"


_SHARED = f"({_overlap('cx', 'w')} * {_overlap('cy', 'h')})"
_IOU = f"({_SHARED} / (a.w * a.h + b.w * b.h - {_SHARED}))"
_SAME = f"{_IOU} >= CASE WHEN a.class_id = b.class_id THEN {SAME_CLASS_IOU} ELSE {ANY_CLASS_IOU} END"
# A box stays bit for bit where it lies inside the image; else its part on the image.
_CLIPPED = """
    CROSS JOIN LATERAL (SELECT x.cx - x.w / 2 AS l, x.cy - x.h / 2 AS t, x.cx + x.w / 2 AS r, x.cy + x.h / 2 AS b) e
    CROSS JOIN LATERAL (SELECT e.l >= 0 AND e.t >= 0 AND e.r <= c.width AND e.b <= c.height AS inside,
        greatest(e.l, 0) AS l, greatest(e.t, 0) AS t, least(e.r, c.width) AS r, least(e.b, c.height) AS b) k
"""
_BOX = """
    CASE WHEN k.inside THEN x.cx ELSE (k.l + k.r) / 2 END AS cx,
    CASE WHEN k.inside THEN x.cy ELSE (k.t + k.b) / 2 END AS cy,
    CASE WHEN k.inside THEN x.w ELSE k.r - k.l END AS w, CASE WHEN k.inside THEN x.h ELSE k.b - k.t END AS h
"""

SELECTION = f"""
WITH RECURSIVE merged AS (
    SELECT id, id AS to_id, merged_into_id, 0 AS depth FROM extraction_objectclass WHERE namespace_id = %(namespace)s
    UNION ALL SELECT m.id, o.id, o.merged_into_id, m.depth + 1
    FROM merged m JOIN extraction_objectclass o ON o.id = m.merged_into_id WHERE m.depth < 20),
class AS (SELECT id, to_id FROM merged WHERE merged_into_id IS NULL),
candidate AS MATERIALIZED (
    SELECT m.id, m.sha256, m.working_id, m.width, m.height, m.split = 'holdout' AS holdout, i.kind AS included,
        coalesce(nullif(m.group_key, ''), m.sha256) AS kin, coalesce(r.completeness, 'unseen') AS completeness
    FROM extraction_image m
    LEFT JOIN review_datasetinclude i ON i.image_id = m.id AND i.dataset_id = %(dataset)s
    LEFT JOIN extraction_imagereview r ON r.image_id = m.id
    WHERE m.namespace_id = %(namespace)s AND (i.id IS NOT NULL OR (NOT %(only_included)s AND EXISTS (
        SELECT 1 FROM extraction_object o WHERE o.image_id = m.id
        AND (%(buckets)s::bigint[] IS NULL OR o.bucket_id = ANY(%(buckets)s::bigint[])))))),
-- `doc` and `gen` say in which look at the image a box was decided; a drawn one has no `gen`.
truth AS MATERIALIZED (
    SELECT x.id, x.image_id, class.to_id AS class_id, x.origin, x.updated_at, {_BOX},
        greatest(x.updated_at, a.updated_at) AS at,
        coalesce(d.document_id, a.document_id, 0) AS doc, d.generation AS gen,
        CASE WHEN x.detection_id IS NULL THEN coalesce(a.actor, '') END AS drawn_by,
        x.evidence AS annotation_id, coalesce(a.version, x.version) AS annotation_version
    FROM candidate c JOIN extraction_groundtruthbox x ON x.image_id = c.id AND x.state <> 'removed'
    JOIN class ON class.id = x.object_class_id {_CLIPPED}
    LEFT JOIN extraction_detection d ON d.id = x.detection_id
    LEFT JOIN review_annotation a ON a.public_id = x.evidence AND x.evidence <> ''
    WHERE k.r > k.l AND k.b > k.t),
-- One object that was decided in two looks, or drawn by two people, counts once: the latest decision stands.
twin AS (
    SELECT b.id, row_number() OVER (PARTITION BY a.id, b.doc, b.gen, b.drawn_by ORDER BY {_IOU} DESC, b.id) AS place
    FROM truth a JOIN truth b ON b.image_id = a.image_id AND (b.updated_at, b.id) < (a.updated_at, a.id)
    AND (b.doc <> a.doc OR b.gen <> a.gen OR b.drawn_by <> a.drawn_by) WHERE {_SAME}),
rejected AS MATERIALIZED (
    SELECT d.image_id, d.document_id AS doc, d.generation AS gen, class.to_id AS class_id, d.cx, d.cy, d.w, d.h,
        (SELECT max(n.updated_at) FROM review_annotation n WHERE n.detection_id = d.id AND n.deleted_at IS NULL
            AND n.label = 'false_positive') AS at
    FROM candidate c JOIN extraction_detection d ON d.image_id = c.id AND d.decided_label = 'false_positive'
    JOIN class ON class.id = d.object_class_id),
-- What somebody rejected in another look after it was decided is none, unless that look shows the object by a box of
-- its own: then only the second box over it was rejected. Drawn boxes stand for themselves.
overruled AS (
    SELECT a.id FROM truth a JOIN rejected b ON b.image_id = a.image_id AND b.at > a.at
    AND (b.doc, b.gen) IS DISTINCT FROM (a.doc, a.gen) AND {_SAME}
    WHERE coalesce(a.drawn_by, '') = '' AND NOT EXISTS (
        SELECT 1 FROM extraction_detection x WHERE x.document_id = b.doc AND x.generation = b.gen
        AND x.decided_label NOT IN ('', 'false_positive') AND {_IOU.replace("b.", "x.")} >= {SAME_CLASS_IOU})),
object AS MATERIALIZED (
    SELECT * FROM truth WHERE NOT EXISTS (SELECT 1 FROM twin WHERE twin.id = truth.id AND twin.place = 1)
    AND id NOT IN (SELECT id FROM overruled)),
newest AS MATERIALIZED (
    SELECT DISTINCT ON (x.image_id) x.image_id, x.id, x.generation FROM candidate c
    JOIN extraction_document x ON x.image_id = c.id JOIN extraction_collection n ON n.id = x.collection_id
    JOIN extraction_extractorversion v ON v.id = n.extractor_version_id AND v.extractor_id = %(extractor)s
    ORDER BY x.image_id, v.id DESC, n.id DESC, x.id DESC),
-- What another look decided was not judged in this one: it says nothing of what this look does not show.
look AS (
    SELECT n.image_id, count(*) FILTER (WHERE d.decided_label <> '' AND m.id IS NULL) AS decided,
        count(*) FILTER (WHERE d.decided_label = '') AS undecided
    FROM newest n JOIN extraction_detection d ON d.document_id = n.id AND d.current
    LEFT JOIN extraction_detectionmatch m ON m.detection_id = d.id GROUP BY n.image_id),
undecided AS MATERIALIZED (
    SELECT x.image_id, x.document_id AS doc, x.generation AS gen, class.to_id AS class_id, x.confidence, {_BOX}
    FROM newest n JOIN candidate c ON c.id = n.image_id
    JOIN extraction_detection x ON x.document_id = n.id AND x.current AND x.decided_label = ''
    JOIN class ON class.id = x.object_class_id {_CLIPPED} WHERE k.r > k.l AND k.b > k.t),
-- What the newest version found anew and a person has decided in another look is decided.
waiting AS MATERIALIZED (
    SELECT * FROM undecided b WHERE NOT EXISTS (
        SELECT 1 FROM object a WHERE a.image_id = b.image_id
        AND (a.doc, a.gen) IS DISTINCT FROM (b.doc, b.gen) AND {_SAME})
    AND NOT EXISTS (
        SELECT 1 FROM rejected a WHERE a.image_id = b.image_id
        AND (a.doc, a.gen) IS DISTINCT FROM (b.doc, b.gen) AND {_SAME})),
counted AS (
    SELECT c.*, coalesce(o.n, 0) AS objects, coalesce(o.imported, 0) AS imported,
        coalesce(w.n, 0) AS waits, coalesce(w.low, 0) AS low,
        coalesce(l.decided, 0) AS decided_here, coalesce(l.undecided, 0) AS undecided_here,
        coalesce(f.n, 0) AS negatives, coalesce(o.elsewhere, 0) + coalesce(f.elsewhere, 0) AS elsewhere
    FROM candidate c
    LEFT JOIN (SELECT image_id, count(*) AS n, count(*) FILTER (WHERE origin = 'import') AS imported,
            count(*) FILTER (WHERE origin = 'import'
            OR doc <> 0 AND (doc <> newest.id OR gen <> newest.generation)) AS elsewhere
        FROM object LEFT JOIN newest USING (image_id) GROUP BY image_id) o ON o.image_id = c.id
    LEFT JOIN (SELECT image_id, count(*) AS n, count(*) FILTER (WHERE confidence < %(accept)s::float8) AS low
        FROM waiting GROUP BY image_id) w ON w.image_id = c.id
    LEFT JOIN look l ON l.image_id = c.id
    LEFT JOIN (SELECT image_id, count(*) AS n, count(*) FILTER (WHERE doc <> newest.id
            OR gen <> newest.generation) AS elsewhere
        FROM rejected LEFT JOIN newest USING (image_id) GROUP BY image_id) f ON f.image_id = c.id),
-- Imported truth is whole where the import says so, whatever a detector finds beside it; what it left partial is not.
-- Said to be complete while boxes of this look wait (people are shown the doubtful ones only) is not complete.
judged AS (
    SELECT *, (completeness IN ('complete', 'verified_empty')
        AND (waits = 0 OR imported > 0 OR (decided_here = 0 AND elsewhere > 0)))
        OR (decided_here > 0 AND undecided_here = 0 AND imported = 0) AS whole
    FROM counted),
ruled AS (
    SELECT *, NOT whole AND %(accept)s::float8 IS NOT NULL AND waits > 0 AND low = 0 AS accepts,
        CASE WHEN holdout OR ('x' || substr(md5(%(seed)s || ':' || kin), 1, 7))::bit(28)::int / 268435456.0
            < %(validation)s THEN 'val' ELSE 'train' END AS split
    FROM judged),
placed AS (
    SELECT *, whole AND objects = 0 AS empty, row_number() OVER (
        PARTITION BY working_id ORDER BY holdout DESC, whole DESC, accepts DESC, id) AS copy
    FROM ruled),
ranked AS (
    SELECT *, count(*) FILTER (WHERE copy = 1 AND (accepts OR whole AND NOT empty))
            OVER (PARTITION BY split) AS full_ones,
        row_number() OVER (PARTITION BY split, copy = 1 AND empty
            ORDER BY included DESC NULLS LAST, negatives > 0 DESC, md5(%(seed)s || sha256)) AS rank
    FROM placed),
chosen AS (
    SELECT *, CASE
        WHEN copy > 1 THEN 'same_content'
        WHEN empty AND included IS NULL AND rank > floor(full_ones * %(odds)s + 1e-9) THEN 'background_over'
        WHEN empty THEN 'background'
        WHEN whole THEN 'reviewed'
        WHEN accepts THEN 'accepted'
        WHEN low > 0 AND %(accept)s::float8 IS NOT NULL THEN 'unsure'
        WHEN decided_here + objects + negatives > 0 THEN 'partial'
        ELSE 'unseen' END AS rule
    FROM ranked),
box AS (
    SELECT image_id, class_id, cx, cy, w, h, origin, annotation_id, annotation_version FROM object
    UNION ALL SELECT image_id, class_id, cx, cy, w, h, 'accepted', '', 0 FROM waiting
    JOIN chosen ON chosen.id = image_id AND chosen.rule = 'accepted')
"""

PER_RULE = f"""{SELECTION}
SELECT rule, split, holdout, count(*),
    coalesce(sum(objects + CASE WHEN rule = 'accepted' THEN waits ELSE 0 END), 0)::bigint,
    coalesce(sum(negatives), 0)::bigint, count(included)
FROM chosen GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"""
LEFT_OUT = (
    f"{SELECTION} SELECT id FROM chosen WHERE rule = %(rule)s ORDER BY id LIMIT %(limit)s OFFSET %(offset)s"
)
# What completes the images of a rule: the waiting items on them, by queue.
QUEUES = f"""{SELECTION}
SELECT chosen.rule, q.queue_id, count(DISTINCT q.image_id), count(*) FROM chosen
JOIN review_queueitem q ON q.image_id = chosen.id AND q.state = 'waiting'
WHERE chosen.rule IN ('partial', 'unsure', 'unseen') GROUP BY 1, 2 ORDER BY 3 DESC, 2"""
FREEZE = f"""CREATE TEMP TABLE mixcv_freeze ON COMMIT DROP AS {SELECTION}
SELECT chosen.id AS image_id, chosen.sha256, chosen.width, chosen.height, chosen.split, chosen.holdout, chosen.rule,
    chosen.negatives, chosen.included IS NOT NULL AS included, box.class_id, box.cx, box.cy, box.w, box.h, box.origin,
    box.annotation_id, box.annotation_version
FROM chosen LEFT JOIN box ON box.image_id = chosen.id AND chosen.rule IN ('reviewed', 'accepted')"""


def parameters(dataset: Dataset, policy: Policy) -> dict[str, Any]:
    """The statement's parameters. Raises NotFound for a bucket that is not there any more."""
    share = min(policy.background_share, 1 - 1e-9)
    return {
        "namespace": dataset.namespace_id,
        "dataset": dataset.pk,
        "extractor": dataset.extractor_id,
        "only_included": policy.only_included,
        "buckets": [get_bucket(dataset.namespace, ref).pk for ref in policy.buckets] or None,
        "accept": policy.accept_above,
        "seed": str(policy.seed),
        "validation": policy.validation_share,
        "odds": share / (1 - share),
    }


def select(statement: str, values: dict[str, Any]) -> list[tuple[Any, ...]]:
    """All rows of one of the statements above."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        found: list[tuple[Any, ...]] = cursor.fetchall()
        return found
