import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

VERDICTS = ["confirmed", "corrected", "false_positive"]


def unindexed(model, *, null=True, related_name="annotations", on_delete=django.db.models.deletion.PROTECT):
    """A foreign key that another index serves."""
    return models.ForeignKey(
        blank=null, db_index=False, null=null, on_delete=on_delete, related_name=related_name, to=model
    )


class Migration(migrations.Migration):
    dependencies = [
        ("extraction", "0001_rows"),
        ("review", "0001_rows"),
        ("tenancy", "0001_rows"),
    ]

    operations = [
        migrations.CreateModel(
            name="AnnotationCount",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("day", models.DateField()),
                ("label", models.CharField(max_length=100)),
                ("source", models.CharField(max_length=10)),
                ("n", models.IntegerField()),
                ("folded", models.BooleanField(default=False)),
                (
                    "collection",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="extraction.collection",
                    ),
                ),
                (
                    "extractor_version",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="extraction.extractorversion",
                    ),
                ),
                (
                    "namespace",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenancy.namespace",
                    ),
                ),
                (
                    "object_class",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="extraction.objectclass",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["namespace", "day"], name="annotation_count_day"),
                    models.Index(
                        condition=models.Q(("folded", False)), fields=["id"], name="annotation_count_open"
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("folded", True)),
                        fields=(
                            "namespace",
                            "collection",
                            "day",
                            "label",
                            "object_class",
                            "extractor_version",
                            "source",
                        ),
                        name="annotation_count_once",
                        nulls_distinct=False,
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="LabelDefinition",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=100)),
                ("description", models.CharField(blank=True, max_length=500)),
                ("created_by", models.CharField(default="system", max_length=200)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "namespace",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="labels",
                        to="tenancy.namespace",
                    ),
                ),
            ],
            options={
                "verbose_name": "label",
                "ordering": ["name"],
                "constraints": [
                    models.UniqueConstraint(fields=("namespace", "name"), name="label_name_once")
                ],
            },
        ),
        migrations.RemoveConstraint(model_name="annotation", name="annotation_one_per_actor"),
        migrations.AddField(
            model_name="annotation",
            name="decided_at",
            field=models.DateTimeField(default=django.utils.timezone.now),
        ),
        *(
            migrations.AlterField(model_name="annotation", name=name, field=unindexed(f"extraction.{model}"))
            for name, model in (("collection", "collection"), ("document", "document"))
        ),
        migrations.AlterField(
            model_name="annotation",
            name="extractor_version",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                to="extraction.extractorversion",
            ),
        ),
        migrations.AlterField(
            model_name="annotation", name="image", field=unindexed("extraction.image", null=False)
        ),
        migrations.AlterField(
            model_name="annotation",
            name="namespace",
            field=unindexed("tenancy.namespace", null=False, on_delete=django.db.models.deletion.CASCADE),
        ),
        *(
            migrations.AlterField(
                model_name=model, name=name, field=unindexed("extraction.objectclass", related_name="+")
            )
            for model, name in (
                ("annotation", "object_class"),
                ("annotation", "predicted_class"),
                ("annotationversion", "object_class"),
            )
        ),
        migrations.AlterField(
            model_name="annotationversion",
            name="annotation",
            field=unindexed(
                "review.annotation",
                null=False,
                related_name="versions",
                on_delete=django.db.models.deletion.CASCADE,
            ),
        ),
        migrations.AddConstraint(
            model_name="annotation",
            constraint=models.UniqueConstraint(
                condition=models.Q(
                    ("deleted_at__isnull", True), ("detection__isnull", False), ("label__in", VERDICTS)
                ),
                fields=("detection", "actor"),
                name="annotation_one_per_actor",
            ),
        ),
        migrations.AddConstraint(
            model_name="annotation",
            constraint=models.UniqueConstraint(
                condition=models.Q(
                    ("deleted_at__isnull", True),
                    ("detection__isnull", False),
                    models.Q(("label__in", [*VERDICTS, "missed"]), _negated=True),
                ),
                fields=("detection", "actor", "label"),
                name="annotation_one_per_label",
            ),
        ),
    ]
