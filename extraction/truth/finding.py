"""Which detections show an object that another look at the image has decided.

A look is a document in one of its generations. Nothing is written here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db import connection

from extraction.truth.overlap import CLASSES, SAME_OBJECT, iou_sql


@dataclass(frozen=True, slots=True)
class Match:
    """What is known of a detection: the truth that it shows, or the detection that a person rejected at its place.

    `class_id`: the truth's class; None where it is no object. `iou`: 0 to 1.
    """

    truth_id: int | None
    rejected_id: int | None
    class_id: int | None
    iou: float


# A known object is sought in other looks too (`firm`): one that two looks have decided is one object.
_PAIRS = f"""
WITH RECURSIVE {CLASSES},
known AS MATERIALIZED (
    SELECT t.id, t.image_id, t.object_class_id, class.to_id AS class_id, t.cx, t.cy, t.w, t.h,
        o.document_id AS doc, o.generation AS gen
    FROM extraction_groundtruthbox t JOIN class ON class.id = t.object_class_id
    LEFT JOIN extraction_detection o ON o.id = t.detection_id
    WHERE t.image_id = ANY(%(images)s::bigint[]) AND t.state <> 'removed'),
seeker AS (
    SELECT d.id, d.image_id, class.to_id AS class_id, d.cx, d.cy, d.w, d.h, d.document_id AS doc,
        d.generation AS gen, false AS firm
    FROM extraction_detection d JOIN class ON class.id = d.object_class_id WHERE d.id = ANY(%(ids)s::bigint[])
    UNION ALL SELECT id, image_id, class_id, cx, cy, w, h, doc, gen, true FROM known)
SELECT a.firm, a.id, a.doc, a.gen, b.id, b.doc, b.gen, b.object_class_id, {iou_sql("a", "b")} AS iou
FROM seeker a JOIN known b ON b.image_id = a.image_id AND b.class_id = a.class_id
    AND (a.doc, a.gen) IS DISTINCT FROM (b.doc, b.gen)
WHERE {iou_sql("a", "b")} >= {SAME_OBJECT}
ORDER BY a.firm DESC, iou DESC, a.id, b.id
"""
_REJECTED = f"""
WITH RECURSIVE {CLASSES}
SELECT DISTINCT ON (a.id) a.id, r.id, {iou_sql("a", "r")} AS iou
FROM extraction_detection a JOIN class ac ON ac.id = a.object_class_id
JOIN extraction_detection r ON r.image_id = a.image_id AND r.decided_label = 'false_positive'
    AND (r.document_id <> a.document_id OR r.generation <> a.generation)
JOIN class rc ON rc.id = r.object_class_id AND rc.to_id = ac.to_id
WHERE a.id = ANY(%(ids)s::bigint[]) AND {iou_sql("a", "r")} >= {SAME_OBJECT}
    AND NOT EXISTS (SELECT 1 FROM extraction_detectionmatch m WHERE m.detection_id = r.id)
    AND NOT EXISTS (SELECT 1 FROM extraction_groundtruthbox t
        WHERE t.image_id = a.image_id AND t.state <> 'removed' AND {iou_sql("a", "t")} >= {SAME_OBJECT})
ORDER BY a.id, iou DESC, r.id
"""

_Look = tuple[int | None, int | None]


def find_matches(detection_ids: Iterable[int], image_ids: Iterable[int]) -> dict[int, Match]:
    """What another look has decided of some detections, by detection; in two statements.

    Within a look one detection shows one object, the best covered first; of the same class (merged ones are one), IoU
    from 0.5. `image_ids`: the images that the detections are on.
    """
    ids = sorted(set(detection_ids))
    if not ids:
        return {}
    values = {"ids": ids, "images": sorted(set(image_ids))}
    with connection.cursor() as cursor:
        cursor.execute(_PAIRS, values)
        found = _one_to_one(cursor.fetchall())
        left = [key for key in ids if key not in found]
        if left:
            cursor.execute(_REJECTED, values | {"ids": left})
            found |= {key: Match(None, rejected, None, iou) for key, rejected, iou in cursor.fetchall()}
    return found


def _one_to_one(pairs: Sequence[tuple[bool, int, int, int, int, int, int, int, float]]) -> dict[int, Match]:
    """The best pairs first; those of known objects among themselves come before all."""
    taken: set[tuple[int, _Look]] = set()  # an object, and the look that shows it already
    twins: dict[int, set[int]] = defaultdict(set)
    found: dict[int, Match] = {}
    for firm, key, doc, gen, truth, truth_doc, truth_gen, class_id, iou in pairs:
        look, other = (doc, gen), (truth_doc, truth_gen)
        if (truth, look) in taken:
            continue
        if firm:
            if (key, other) in taken and truth not in twins[key]:
                continue
            taken |= {(truth, look), (key, other)}
            twins[key].add(truth)
            twins[truth].add(key)
        elif key not in found:
            found[key] = Match(truth, None, class_id, iou)
            taken |= {(one, look) for one in (truth, *twins[truth])}
    return found
