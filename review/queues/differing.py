"""What a later version of a detector says differently, on images whose objects are known.

Its queue then has, at any confidence: boxes where somebody says another class, boxes where nothing was known, and what
an older version found, which is truth, and this one does not find. They come before the doubtful ones.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.db import connection

from extraction.truth.overlap import CLASSES, SAME_OBJECT, iou_sql

GONE = "This version does not find it any more"
NEW = "New: nothing was known here"

# An image's objects are known to a later version where people decided all boxes of an older look of the same
# extractor, or said that nothing is missing while no such box waits. Imported truth that is whole is whole by itself.
_KNOWN = f"""
WITH RECURSIVE {CLASSES},
later AS (
    SELECT q.id AS queue_id, q.collection_id, q.doubtful_below, v.extractor_id, v.id AS version_id
    FROM review_queue q JOIN extraction_collection c ON c.id = q.collection_id
    JOIN extraction_extractorversion v ON v.id = c.extractor_version_id
    WHERE q.id = ANY(%(queues)s) AND q.kind = 'doubtful' AND EXISTS (
        SELECT 1 FROM extraction_extractorversion o WHERE o.extractor_id = v.extractor_id AND o.id < v.id)),
seen AS (
    SELECT DISTINCT l.*, x.image_id FROM later l JOIN extraction_document x ON x.collection_id = l.collection_id
    WHERE x.image_id = ANY(%(images)s::bigint[])),
older AS MATERIALIZED (
    SELECT s.queue_id, s.image_id, x.id AS doc,
        count(*) FILTER (WHERE d.decided_label <> '' AND m.id IS NULL) AS decided,
        count(*) FILTER (WHERE d.decided_label = '') AS undecided
    FROM seen s JOIN extraction_document x ON x.image_id = s.image_id
    JOIN extraction_collection c ON c.id = x.collection_id
    JOIN extraction_extractorversion v ON v.id = c.extractor_version_id AND v.extractor_id = s.extractor_id
        AND v.id < s.version_id
    LEFT JOIN extraction_detection d ON d.document_id = x.id AND d.current
    LEFT JOIN extraction_detectionmatch m ON m.detection_id = d.id GROUP BY 1, 2, 3),
known AS MATERIALIZED (
    SELECT s.* FROM seen s LEFT JOIN extraction_imagereview r ON r.image_id = s.image_id
    WHERE EXISTS (SELECT 1 FROM older o WHERE (o.queue_id, o.image_id) = (s.queue_id, s.image_id)
            AND o.decided > 0 AND o.undecided = 0)
    OR r.declared AND (
        EXISTS (SELECT 1 FROM extraction_groundtruthbox t WHERE t.image_id = s.image_id AND t.origin = 'import')
        OR NOT EXISTS (SELECT 1 FROM older o WHERE (o.queue_id, o.image_id) = (s.queue_id, s.image_id)
            AND o.undecided > 0))),
truth AS MATERIALIZED (
    SELECT t.*, class.to_id AS class_id, class.name FROM extraction_groundtruthbox t
    JOIN class ON class.id = t.object_class_id
    WHERE t.image_id = ANY(%(images)s::bigint[]) AND t.state <> 'removed'),
box AS MATERIALIZED (
    SELECT k.queue_id, d.id, d.image_id, d.confidence, class.to_id AS class_id, class.name, d.cx, d.cy, d.w, d.h
    FROM known k JOIN extraction_detection d ON d.image_id = k.image_id AND d.collection_id = k.collection_id
        AND d.current AND d.decided_label = '' AND (%(ids)s::bigint[] IS NULL OR d.id = ANY(%(ids)s::bigint[]))
    JOIN class ON class.id = d.object_class_id),
covers AS (
    SELECT DISTINCT ON (a.queue_id, a.id) a.queue_id, a.id, t.class_id, t.name, t.evidence
    FROM box a JOIN truth t ON t.image_id = a.image_id AND {iou_sql("a", "t")} >= {SAME_OBJECT}
    ORDER BY a.queue_id, a.id, {iou_sql("a", "t")} DESC, t.id),
differing AS (
    SELECT a.queue_id, a.id, a.image_id,
        -a.confidence - CASE WHEN c.class_id <> a.class_id THEN 2 ELSE 0 END AS score,
        left(CASE WHEN c.id IS NULL THEN %(new)s
            WHEN c.class_id = a.class_id THEN 'Another box shows this ' || c.name || ' better'
            WHEN c.evidence = '' THEN 'The imported truth calls this ' || c.name || '; this version says ' || a.name
            ELSE 'A reviewer called this ' || c.name || '; this version says ' || a.name END, 300) AS reason
    FROM box a LEFT JOIN covers c ON (c.queue_id, c.id) = (a.queue_id, a.id))
"""
_VANISHED = f""",
lost AS (
    SELECT k.queue_id, d.id, d.image_id, d.confidence, t.class_id, t.cx, t.cy, t.w, t.h
    FROM known k JOIN older o ON (o.queue_id, o.image_id) = (k.queue_id, k.image_id)
    JOIN extraction_detection d ON d.document_id = o.doc AND d.current AND d.decided_label <> ''
    JOIN truth t ON t.detection_id = d.id
    WHERE NOT EXISTS (SELECT 1 FROM extraction_detection n WHERE n.image_id = k.image_id
        AND n.collection_id = k.collection_id AND n.current AND {iou_sql("n", "t")} >= {SAME_OBJECT})),
vanished AS (
    SELECT a.queue_id, a.id, a.image_id, -1 - a.confidence AS score, %(gone)s AS reason
    FROM lost a WHERE NOT EXISTS (SELECT 1 FROM lost b WHERE b.queue_id = a.queue_id AND b.image_id = a.image_id
        AND b.class_id = a.class_id AND b.id > a.id AND {iou_sql("a", "b")} >= {SAME_OBJECT})),
wanted AS MATERIALIZED (SELECT * FROM differing UNION ALL SELECT * FROM vanished),
stale AS (
    SELECT i.id, i.queue_id, d.confidence,
        d.collection_id = l.collection_id AND d.confidence < l.doubtful_below AS stays
    FROM review_queueitem i JOIN later l ON l.queue_id = i.queue_id
    JOIN extraction_detection d ON d.id = i.detection_id
    WHERE i.image_id = ANY(%(images)s::bigint[]) AND i.state = 'waiting' AND i.reason <> '' AND i.source = 'queue'
    AND NOT EXISTS (SELECT 1 FROM wanted w WHERE w.queue_id = i.queue_id AND w.id = i.detection_id)),
back AS (UPDATE review_queueitem i SET reason = '', score = s.confidence FROM stale s WHERE i.id = s.id AND s.stays),
gone AS (DELETE FROM review_queueitem i USING stale s WHERE i.id = s.id AND NOT s.stays RETURNING i.queue_id)
"""
_ONLY_NEW = ", wanted AS (SELECT * FROM differing), gone AS (SELECT NULL::bigint AS queue_id WHERE false)"
_WRITE = """,
put AS (
    INSERT INTO review_queueitem (queue_id, detection_id, image_id, score, reason, state, source, created_at)
    SELECT queue_id, id, image_id, score, reason, 'waiting', 'queue', clock_timestamp()
    FROM wanted ORDER BY queue_id, id
    ON CONFLICT (queue_id, detection_id) DO UPDATE SET reason = excluded.reason, score = excluded.score
    WHERE review_queueitem.state = 'waiting' AND review_queueitem.source = 'queue'
        AND review_queueitem.reason <> excluded.reason
    RETURNING queue_id, xmax = 0 AS added),
counts AS (SELECT queue_id, sum(n) AS n FROM (
    SELECT queue_id, 1 AS n FROM put WHERE added UNION ALL SELECT queue_id, -1 FROM gone) x GROUP BY queue_id)
UPDATE review_queue q SET waiting_count = waiting_count + n FROM counts WHERE q.id = counts.queue_id
"""


def put_differing(
    *, queue_ids: Sequence[int], image_ids: Sequence[int], detection_ids: Sequence[int] | None = None
) -> None:
    """Let wait what later versions say differently on these images, in one statement; the queues are locked.

    With `detection_ids` only these are added: they are the transaction's own. Without, all current detections of the
    images are locked, and what differs no more leaves, or waits as the doubtful box that it is.
    """
    if not (queue_ids and image_ids):
        return
    whole = detection_ids is None
    with connection.cursor() as cursor:
        cursor.execute(
            _KNOWN + (_VANISHED if whole else _ONLY_NEW) + _WRITE,
            {
                "queues": list(queue_ids),
                "images": list(image_ids),
                "ids": None if detection_ids is None else list(detection_ids),
                "new": NEW,
                "gone": GONE,
            },
        )
