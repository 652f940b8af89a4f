import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("extraction", "0004_intake_runs"),
        ("review", "0003_count_annotations"),
    ]

    operations = [
        migrations.CreateModel(
            name="DatasetInclude",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[("add", "added by hand"), ("hard_negative", "hard negative")],
                        default="add",
                        max_length=13,
                    ),
                ),
                ("actor", models.CharField(max_length=200)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
        ),
        migrations.AlterModelOptions(
            name="dataset",
            options={"ordering": ["name"]},
        ),
        migrations.AlterModelOptions(
            name="datasetversion",
            options={"ordering": ["dataset", "-number"]},
        ),
        migrations.AddField(
            model_name="dataset",
            name="last_number",
            field=models.PositiveIntegerField(
                default=0, help_text="of the latest version; never given again"
            ),
        ),
        migrations.AddField(
            model_name="dataset",
            name="updated_at",
            field=models.DateTimeField(auto_now=True),
        ),
        migrations.AddField(
            model_name="datasetbox",
            name="object_class",
            field=models.ForeignKey(
                db_index=False,
                default=0,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="extraction.objectclass",
            ),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="datasetbox",
            name="origin",
            field=models.CharField(default="", help_text="annotation, import or accepted", max_length=10),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="datasetitem",
            name="file_name",
            field=models.CharField(default="", max_length=110),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="datasetitem",
            name="hard_negatives",
            field=models.PositiveIntegerField(
                default=0, help_text="boxes on it that a person said are no object"
            ),
        ),
        migrations.AddField(
            model_name="datasetitem",
            name="height",
            field=models.PositiveIntegerField(default=0),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="datasetitem",
            name="holdout",
            field=models.BooleanField(default=False, help_text="kept back from every training"),
        ),
        migrations.AddField(
            model_name="datasetitem",
            name="rule",
            field=models.CharField(default="", help_text="why it was taken", max_length=20),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="datasetitem",
            name="width",
            field=models.PositiveIntegerField(default=0),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="datasetversion",
            name="actor",
            field=models.CharField(default="system", max_length=200),
        ),
        migrations.AddField(
            model_name="datasetversion",
            name="box_count",
            field=models.PositiveIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="datasetversion",
            name="classes",
            field=models.JSONField(default=list),
        ),
        migrations.AddField(
            model_name="datasetversion",
            name="counts",
            field=models.JSONField(default=dict),
        ),
        migrations.AddField(
            model_name="datasetversion",
            name="image_count",
            field=models.PositiveIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="datasetversion",
            name="seed",
            field=models.PositiveIntegerField(default=0),
        ),
        migrations.AlterField(
            model_name="datasetitem",
            name="split",
            field=models.CharField(choices=[("train", "Train"), ("val", "Val")], max_length=8),
        ),
        migrations.AddConstraint(
            model_name="datasetitem",
            constraint=models.UniqueConstraint(
                fields=("dataset_version", "split", "file_name"), name="dataset_file_once"
            ),
        ),
        migrations.AddField(
            model_name="datasetinclude",
            name="dataset",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="includes", to="review.dataset"
            ),
        ),
        migrations.AddField(
            model_name="datasetinclude",
            name="image",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="dataset_includes",
                to="extraction.image",
            ),
        ),
        migrations.AddConstraint(
            model_name="datasetinclude",
            constraint=models.UniqueConstraint(fields=("dataset", "image"), name="dataset_include_once"),
        ),
    ]
