# SPDX-License-Identifier: Apache-2.0
from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise.fields.base import OnDelete
from tortoise import fields

class Migration(migrations.Migration):
    dependencies = [('core', '0002_client_prefixes'), ('notifications', '0001_initial')]

    initial = False

    operations = [
        ops.CreateModel(
            name='LineTrouble',
            fields=[
                ('account', fields.ForeignKeyField('core.Account', source_field='account_id', db_index=True, db_constraint=True, to_field='id', related_name=False, on_delete=OnDelete.CASCADE)),
                ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('trunk_id', fields.IntField(unique=True)),
                ('since', fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ('told', fields.BooleanField(default=False)),
            ],
            options={'table': 'notifications_line_trouble', 'app': 'notifications', 'pk_attr': 'id'},
            bases=['AccountRow'],
        ),
    ]
