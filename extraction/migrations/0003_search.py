import django.db.models.deletion
from django.db import migrations, models

FILL = """
SET CONSTRAINTS ALL IMMEDIATE;
UPDATE extraction_execution e SET namespace_id = r.namespace_id, mode = 'queue'
FROM extraction_retriever r WHERE r.id = e.retriever_id;
UPDATE extraction_retriever SET unit = 'detection'
WHERE stages @? '$[*].config.parameters.unit ? (@ == "detection")';
"""
UNITS = [("document", "Document"), ("detection", "Detection")]


class Migration(migrations.Migration):
    """Retrievers say what they ask for and return; executions keep what each stage did."""

    dependencies = [("extraction", "0002_packages"), ("tenancy", "0001_rows")]

    operations = [
        migrations.AddField(
            "retriever", "unit", models.CharField(choices=UNITS, default="document", max_length=10)
        ),
        migrations.AddField("retriever", "input_schema", models.JSONField(blank=True, default=dict)),
        migrations.AddField("retriever", "metadata", models.JSONField(blank=True, default=dict)),
        migrations.AddField("retriever", "tags", models.JSONField(blank=True, default=list)),
        migrations.AddField(
            "retriever",
            "updated_at",
            models.DateTimeField(auto_now=True),
        ),
        migrations.AddField(
            "execution",
            "namespace",
            models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="executions",
                to="tenancy.namespace",
            ),
        ),
        migrations.AddField(
            "execution",
            "mode",
            models.CharField(
                choices=[("retriever", "Retriever"), ("adhoc", "Adhoc"), ("queue", "Queue")],
                default="retriever",
                max_length=10,
            ),
        ),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
        migrations.AlterField(
            "execution",
            "namespace",
            models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="executions",
                to="tenancy.namespace",
            ),
        ),
        migrations.AlterField(
            "execution",
            "retriever",
            models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="executions",
                to="extraction.retriever",
            ),
        ),
        migrations.AddField(
            "execution",
            "status",
            models.CharField(
                choices=[("completed", "Completed"), ("failed", "Failed")], default="completed", max_length=10
            ),
        ),
        migrations.AddField(
            "execution", "error", models.TextField(blank=True, default=""), preserve_default=False
        ),
        migrations.AddField("execution", "definition", models.JSONField(blank=True, default=dict)),
        migrations.AddField(
            "execution", "unit", models.CharField(choices=UNITS, default="document", max_length=10)
        ),
        migrations.AddField("execution", "filters", models.JSONField(blank=True, default=dict)),
        migrations.AddField("execution", "stages", models.JSONField(blank=True, default=list)),
        migrations.AddField("execution", "results", models.JSONField(blank=True, default=list)),
        migrations.AddField("execution", "warnings", models.JSONField(blank=True, default=list)),
        migrations.AddField("execution", "duration_ms", models.FloatField(default=0)),
        migrations.AlterField(
            "execution",
            "result_count",
            models.PositiveIntegerField(default=0, help_text="all that matched"),
        ),
        migrations.AddIndex(
            "execution",
            models.Index(fields=["namespace", "-created_at"], name="execution_of_namespace"),
        ),
    ]
