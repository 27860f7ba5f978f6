# SPDX-License-Identifier: Apache-2.0
from tortoise import migrations
from tortoise.migrations import operations as ops
import functools
from json import dumps, loads
from tortoise.fields.base import OnDelete
from tortoise import fields
from tortoise.indexes import Index

class Migration(migrations.Migration):
    dependencies = [('core', '0002_client_prefixes')]

    initial = True

    operations = [
        ops.CreateModel(
            name='FaxRow',
            fields=[
                ('account', fields.ForeignKeyField('core.Account', source_field='account_id', db_index=True, db_constraint=True, to_field='id', related_name=False, on_delete=OnDelete.CASCADE)),
                ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('call_id', fields.CharField(db_index=True, max_length=64)),
                ('owner_kind', fields.CharField(max_length=64)),
                ('owner_id', fields.IntField()),
                ('owner_title', fields.CharField(default='', max_length=200)),
                ('caller_number', fields.CharField(null=True, max_length=64)),
                ('caller_name', fields.CharField(default='', max_length=200)),
                ('dialled', fields.CharField(default='', max_length=64)),
                ('at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ('path', fields.CharField(unique=True, max_length=300)),
                ('pages', fields.IntField(default=0)),
                ('complete', fields.BooleanField(default=True)),
                ('sender', fields.CharField(default='', max_length=200)),
                ('trouble', fields.CharField(default='', max_length=200)),
                ('pdf', fields.BooleanField(default=False)),
                ('seen', fields.BooleanField(default=False)),
            ],
            options={'table': 'fax_fax', 'app': 'fax', 'indexes': [Index(fields=['account_id', 'at']), Index(fields=['account_id', 'owner_kind', 'owner_id', 'at'])], 'pk_attr': 'id'},
            bases=['AccountRow'],
        ),
        ops.CreateModel(
            name='MachineRow',
            fields=[
                ('account', fields.ForeignKeyField('core.Account', source_field='account_id', db_index=True, db_constraint=True, to_field='id', related_name=False, on_delete=OnDelete.CASCADE)),
                ('id', fields.IntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('data', fields.JSONField(encoder=functools.partial(dumps, separators=(',', ':')), decoder=loads)),
            ],
            options={'table': 'fax_machine', 'app': 'fax', 'pk_attr': 'id'},
            bases=['ElementRow'],
        ),
    ]
