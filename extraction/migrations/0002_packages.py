import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("extraction", "0001_rows"), ("tenancy", "0001_rows")]

    operations = [
        migrations.AddField(
            model_name="extractorversion",
            name="models_named",
            field=models.JSONField(
                blank=True, default=list, help_text="ids of the registry's models that its code names"
            ),
        ),
        migrations.AddField(
            model_name="extractorversion",
            name="model_overrides",
            field=models.JSONField(blank=True, default=dict),
        ),
        migrations.AddField(
            model_name="extractorversion",
            name="warnings",
            field=models.JSONField(
                blank=True, default=list, help_text="what runs otherwise than the package asked for, in words"
            ),
        ),
        migrations.CreateModel(
            name="RegistryModel",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=64)),
                ("version", models.CharField(max_length=20)),
                ("public_id", models.CharField(max_length=100)),
                ("description", models.TextField(blank=True)),
                (
                    "model_format",
                    models.CharField(
                        choices=[
                            ("pytorch", "PyTorch"),
                            ("safetensors", "Safetensors"),
                            ("onnx", "ONNX"),
                            ("huggingface", "Hugging Face"),
                        ],
                        max_length=12,
                    ),
                ),
                ("framework", models.CharField(blank=True, max_length=40)),
                ("task_type", models.CharField(blank=True, max_length=40)),
                ("file_name", models.CharField(max_length=200)),
                ("weights", models.JSONField(blank=True, default=list)),
                (
                    "resources",
                    models.JSONField(
                        blank=True, default=dict, help_text="num_cpus, num_gpus, memory as wished"
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("registered", "Registered"),
                            ("deploying", "Deploying"),
                            ("deployed", "Deployed"),
                            ("failed", "Failed"),
                        ],
                        default="registered",
                        max_length=12,
                    ),
                ),
                ("error", models.TextField(blank=True)),
                ("actor", models.CharField(default="system", max_length=200)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                (
                    "asked_at",
                    models.DateTimeField(
                        blank=True, help_text="when its deployment was asked for", null=True
                    ),
                ),
                ("deployed_at", models.DateTimeField(blank=True, null=True)),
                (
                    "archive",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="extraction.blob"
                    ),
                ),
                (
                    "namespace",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="registry_models",
                        to="tenancy.namespace",
                    ),
                ),
            ],
            options={"ordering": ["name", "-created_at"]},
        ),
        migrations.CreateModel(
            name="ModelUse",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("first_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "extractor_version",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="model_uses",
                        to="extraction.extractorversion",
                    ),
                ),
                (
                    "model",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="uses",
                        to="extraction.registrymodel",
                    ),
                ),
            ],
        ),
        migrations.AddConstraint(
            model_name="registrymodel",
            constraint=models.UniqueConstraint(
                fields=("namespace", "name", "version"), name="registry_model_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="registrymodel",
            constraint=models.UniqueConstraint(
                fields=("namespace", "public_id"), name="registry_model_id_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="modeluse",
            constraint=models.UniqueConstraint(fields=("extractor_version", "model"), name="model_use_once"),
        ),
    ]
