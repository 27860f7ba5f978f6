# SPDX-License-Identifier: Apache-2.0
from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise.fields.base import OnDelete
from tortoise import fields

class Migration(migrations.Migration):
    dependencies = [('core', '0001_initial')]

    initial = True

    operations = [
        ops.CreateModel(
            name='Attempt',
            fields=[
                ('account', fields.ForeignKeyField('core.Account', source_field='account_id', db_index=True, db_constraint=True, to_field='id', related_name=False, on_delete=OnDelete.CASCADE)),
                ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('call_id', fields.CharField(db_index=True, max_length=64)),
                ('user_id', fields.IntField()),
                ('order_id', fields.BigIntField()),
                ('at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={'table': 'notifications_attempt', 'app': 'notifications', 'pk_attr': 'id'},
            bases=['AccountRow'],
        ),
        ops.CreateModel(
            name='Card',
            fields=[
                ('account', fields.ForeignKeyField('core.Account', source_field='account_id', db_index=True, db_constraint=True, to_field='id', related_name=False, on_delete=OnDelete.CASCADE)),
                ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('call_id', fields.CharField(max_length=64)),
                ('chat_id', fields.BigIntField()),
                ('message_id', fields.BigIntField()),
            ],
            options={'table': 'notifications_card', 'app': 'notifications', 'unique_together': (('call_id', 'chat_id'),), 'pk_attr': 'id'},
            bases=['AccountRow'],
        ),
        ops.CreateModel(
            name='Claim',
            fields=[
                ('account', fields.ForeignKeyField('core.Account', source_field='account_id', db_index=True, db_constraint=True, to_field='id', related_name=False, on_delete=OnDelete.CASCADE)),
                ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('call_id', fields.CharField(unique=True, max_length=64)),
                ('user_id', fields.IntField()),
                ('user_title', fields.CharField(max_length=200)),
                ('at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={'table': 'notifications_claim', 'app': 'notifications', 'pk_attr': 'id'},
            bases=['AccountRow'],
        ),
    ]
