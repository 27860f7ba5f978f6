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
            name='MailboxRow',
            fields=[
                ('account', fields.ForeignKeyField('core.Account', source_field='account_id', db_index=True, db_constraint=True, to_field='id', related_name=False, on_delete=OnDelete.CASCADE)),
                ('id', fields.IntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('data', fields.JSONField(encoder=functools.partial(dumps, separators=(',', ':')), decoder=loads)),
            ],
            options={'table': 'voicemail_mailbox', 'app': 'voicemail', 'pk_attr': 'id'},
            bases=['ElementRow'],
        ),
        ops.CreateModel(
            name='MessageRow',
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
                ('seconds', fields.FloatField(default=0.0)),
                ('heard', fields.BooleanField(default=False)),
                ('transcript', fields.TextField(default='', unique=False)),
            ],
            options={'table': 'voicemail_message', 'app': 'voicemail', 'indexes': [Index(fields=['account_id', 'at']), Index(fields=['account_id', 'owner_kind', 'owner_id', 'at'])], 'pk_attr': 'id'},
            bases=['AccountRow'],
        ),
    ]
