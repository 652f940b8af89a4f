from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("extraction", "0003_search")]

    operations: list[migrations.operations.base.Operation] = []
