# SPDX-License-Identifier: Apache-2.0
from tortoise import migrations
from tortoise.migrations import operations as ops
import functools
from json import dumps, loads
from tortoise.fields.base import OnDelete
from tortoise import fields
from tortoise.indexes import Index

class Migration(migrations.Migration):
    dependencies = [('core', '0001_initial')]

    initial = True

    operations = [
        ops.CreateModel(
            name='SettingsRow',
            fields=[
                ('account', fields.ForeignKeyField('core.Account', source_field='account_id', db_index=True, db_constraint=True, to_field='id', related_name=False, on_delete=OnDelete.CASCADE)),
                ('id', fields.IntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('data', fields.JSONField(encoder=functools.partial(dumps, separators=(',', ':')), decoder=loads)),
            ],
            options={'table': 'callback_settings', 'app': 'callback', 'pk_attr': 'id'},
            bases=['ElementRow'],
        ),
        ops.CreateModel(
            name='Task',
            fields=[
                ('account', fields.ForeignKeyField('core.Account', source_field='account_id', db_index=True, db_constraint=True, to_field='id', related_name=False, on_delete=OnDelete.CASCADE)),
                ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('number', fields.CharField(max_length=32)),
                ('did', fields.CharField(default='', max_length=32)),
                ('target_kind', fields.CharField(max_length=64)),
                ('target_id', fields.IntField()),
                ('calls_first', fields.CharField(max_length=8)),
                ('attempts', fields.IntField()),
                ('made', fields.IntField(default=0)),
                ('pause_seconds', fields.IntField()),
                ('state', fields.CharField(default='waiting', max_length=10)),
                ('due_at', fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ('open_key', fields.CharField(null=True, unique=True, max_length=64)),
                ('requested_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ('request_call', fields.CharField(max_length=64)),
                ('requests', fields.IntField(default=1)),
                ('closed_at', fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ('missing_since', fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={'table': 'callback_task', 'app': 'callback', 'indexes': [Index(fields=['state', 'due_at']), Index(fields=['account_id', 'requested_at'])], 'pk_attr': 'id'},
            bases=['AccountRow'],
        ),
        ops.CreateModel(
            name='Attempt',
            fields=[
                ('account', fields.ForeignKeyField('core.Account', source_field='account_id', db_index=True, db_constraint=True, to_field='id', related_name=False, on_delete=OnDelete.CASCADE)),
                ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('task', fields.ForeignKeyField('callback.Task', source_field='task_id', db_index=True, db_constraint=True, to_field='id', related_name='tries', on_delete=OnDelete.CASCADE)),
                ('number', fields.IntField()),
                ('at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ('order_id', fields.BigIntField()),
                ('call_id', fields.CharField(unique=True, max_length=64)),
                ('result', fields.CharField(default='', max_length=10)),
            ],
            options={'table': 'callback_attempt', 'app': 'callback', 'indexes': [Index(fields=['result', 'id'])], 'pk_attr': 'id'},
            bases=['AccountRow'],
        ),
    ]
