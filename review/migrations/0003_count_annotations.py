from django.db import migrations

# A missed object is its collection's version's failure; label, class and box hold since the last change; and what
# there is already is counted.
FILL = """
UPDATE review_annotation a SET decided_at = a.updated_at,
    extractor_version_id = coalesce(a.extractor_version_id, c.extractor_version_id)
FROM review_annotation b LEFT JOIN extraction_collection c ON c.id = b.collection_id
WHERE b.id = a.id;
INSERT INTO review_annotationcount
    (namespace_id, collection_id, day, label, object_class_id, extractor_version_id, source, n, folded)
SELECT namespace_id, collection_id, (created_at AT TIME ZONE 'UTC')::date, label,
    coalesce(predicted_class_id, object_class_id), extractor_version_id, source, count(*), true
FROM review_annotation WHERE deleted_at IS NULL GROUP BY 1, 2, 3, 4, 5, 6, 7
"""


class Migration(migrations.Migration):
    dependencies = [("review", "0002_annotations")]

    operations = [migrations.RunSQL(FILL, migrations.RunSQL.noop)]
