from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("extraction", "0001_rows")]

    operations: list[migrations.operations.base.Operation] = []
