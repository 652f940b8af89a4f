from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("extraction", "0002_packages")]

    operations: list[migrations.operations.base.Operation] = []
