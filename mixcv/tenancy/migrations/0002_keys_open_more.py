from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("tenancy", "0001_rows")]

    operations = [
        migrations.AddField(
            model_name="apikey",
            name="also_opens",
            field=models.ManyToManyField(blank=True, related_name="opened_by", to="tenancy.namespace"),
        ),
        migrations.AddField(
            model_name="apikey",
            name="rate_limit",
            field=models.PositiveIntegerField(
                blank=True, help_text="calls a minute; empty: the installation's own limit", null=True
            ),
        ),
    ]
