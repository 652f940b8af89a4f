import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("kernel", "0001_rows")]

    operations = [
        migrations.CreateModel(
            name="IdempotentCall",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("caller", models.CharField(max_length=40)),
                ("key", models.CharField(max_length=255)),
                ("fingerprint", models.CharField(max_length=64)),
                ("status", models.PositiveSmallIntegerField(default=0)),
                ("answer", models.TextField(blank=True)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                "indexes": [models.Index(fields=["created_at"], name="idempotent_call_age")],
                "constraints": [
                    models.UniqueConstraint(fields=("caller", "key"), name="idempotent_call_once")
                ],
            },
        ),
    ]
