# SPDX-License-Identifier: Apache-2.0
from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise import fields

class Migration(migrations.Migration):
    dependencies = [('core', '0002_client_prefixes')]

    initial = False

    operations = [
        ops.AddField(
            model_name='Account',
            name='recording_notice_id',
            field=fields.IntField(null=True),
        ),
        ops.AddField(
            model_name='Account',
            name='recording_notice_kind',
            field=fields.CharField(null=True, max_length=64),
        ),
    ]
