import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

import extraction.intake.models


class Migration(migrations.Migration):
    dependencies = [("extraction", "0003_search"), ("tenancy", "0002_keys_open_more")]

    operations = [
        migrations.CreateModel(
            name="Upload",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "public_id",
                    models.CharField(default=extraction.intake.models.upload_id, max_length=40, unique=True),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[("object", "Object"), ("package", "Package"), ("model", "Model")],
                        max_length=8,
                    ),
                ),
                ("filename", models.CharField(max_length=500)),
                ("content_type", models.CharField(blank=True, max_length=100)),
                ("params", models.JSONField(blank=True, default=dict)),
                ("etag", models.CharField(blank=True, max_length=64)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("PENDING", "Pending"),
                            ("UPLOADED", "Uploaded"),
                            ("COMPLETED", "Completed"),
                            ("FAILED", "Failed"),
                        ],
                        default="PENDING",
                        max_length=10,
                    ),
                ),
                ("error", models.TextField(blank=True)),
                ("actor", models.CharField(default="system", max_length=200)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("expires_at", models.DateTimeField()),
                ("completed_at", models.DateTimeField(blank=True, null=True)),
            ],
        ),
        migrations.AddField(
            model_name="batch",
            name="webhook_attempts",
            field=models.PositiveSmallIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="batch",
            name="webhook_due_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="batch",
            name="webhook_error",
            field=models.TextField(blank=True),
        ),
        migrations.AddField(
            model_name="batch",
            name="webhook_sent_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="batch",
            name="webhook_url",
            field=models.TextField(blank=True, help_text="told once when the batch is over"),
        ),
        migrations.AddField(
            model_name="bucket",
            name="unique_key",
            field=models.JSONField(blank=True, default=list),
        ),
        migrations.AddField(
            model_name="bucket",
            name="unique_policy",
            field=models.CharField(
                blank=True,
                choices=[("insert", "Insert"), ("update", "Update"), ("upsert", "Upsert")],
                max_length=6,
            ),
        ),
        migrations.AddField(
            model_name="object",
            name="idempotency_key",
            field=models.CharField(blank=True, max_length=255),
        ),
        migrations.AddField(
            model_name="object",
            name="unique_value",
            field=models.CharField(blank=True, max_length=64),
        ),
        migrations.AddIndex(
            model_name="batch",
            index=models.Index(
                condition=models.Q(("webhook_due_at__isnull", False)),
                fields=["webhook_due_at"],
                name="batch_webhook_due",
            ),
        ),
        migrations.AddConstraint(
            model_name="object",
            constraint=models.UniqueConstraint(
                condition=models.Q(("idempotency_key", ""), _negated=True),
                fields=("bucket", "idempotency_key"),
                name="object_idempotency_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="object",
            constraint=models.UniqueConstraint(
                condition=models.Q(("unique_value", ""), _negated=True),
                fields=("bucket", "unique_value"),
                name="object_unique_key_once",
            ),
        ),
        migrations.AddField(
            model_name="upload",
            name="blob",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="extraction.blob",
            ),
        ),
        migrations.AddField(
            model_name="upload",
            name="bucket",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="uploads",
                to="extraction.bucket",
            ),
        ),
        migrations.AddField(
            model_name="upload",
            name="namespace",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="uploads", to="tenancy.namespace"
            ),
        ),
        migrations.AddField(
            model_name="upload",
            name="object",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to="extraction.object",
            ),
        ),
        migrations.AddIndex(
            model_name="upload",
            index=models.Index(fields=["namespace", "-created_at"], name="upload_newest"),
        ),
        migrations.AddIndex(
            model_name="upload",
            index=models.Index(fields=["expires_at"], name="upload_age"),
        ),
    ]
