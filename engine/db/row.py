# SPDX-License-Identifier: Apache-2.0
"""The base of every row that belongs to a customer, and the scoped access that makes a foreign id "not found"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, Self, TypeVar, cast

from tortoise import fields
from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.expressions import Q
from tortoise.models import Model
from tortoise.queryset import QuerySet

from engine.errors import NotFound

if TYPE_CHECKING:
    from engine.db.models.account import Account

R = TypeVar("R", bound="AccountRow")


class Scoped(QuerySet[R], Generic[R]):
    """Rows of one account: an ordinary Tortoise query set that knows `fetch`."""

    async def fetch(self, id: int, *, lock: bool = False) -> R:
        """The row with this primary key; NotFound when it does not exist in this account (or is another customer's).

        `lock` takes the row for the rest of the transaction (PostgreSQL; SQLite's transactions are exclusive anyway).
        """
        query = self.filter(Q(pk=id))
        row = await (query.select_for_update() if lock else query).first()
        if row is None:
            raise NotFound
        return row


class AccountRow(Model):
    """A row that belongs to one account. Read it by `Model.of(account_id)`, never by its bare primary key."""

    account: fields.ForeignKeyRelation[Account] = fields.ForeignKeyField(
        "core.Account", related_name=False, on_delete=fields.CASCADE, db_index=True
    )
    account_id: int

    @classmethod
    def of(cls, account_id: int, tx: BaseDBAsyncClient | None = None) -> Scoped[Self]:
        """The account's rows; inside a transaction pass its connection."""
        rows: Scoped[Self] = cast("Scoped[Self]", Scoped(cls).filter(account_id=account_id))
        return rows if tx is None else cast("Scoped[Self]", rows.using_db(tx))

    class Meta:
        abstract = True


class MailRow(AccountRow):
    """Something that came for a user or group, who may be gone since: its title is kept. `path`: its file, relative to the media root."""

    id = fields.BigIntField(primary_key=True)
    call_id = fields.CharField(max_length=64, db_index=True)
    owner_kind = fields.CharField(max_length=64)
    owner_id = fields.IntField()
    owner_title = fields.CharField(max_length=200, default="")
    caller_number = fields.CharField(max_length=64, null=True)
    caller_name = fields.CharField(max_length=200, default="")
    dialled = fields.CharField(max_length=64, default="")
    at = fields.DatetimeField()
    path = fields.CharField(max_length=300, unique=True)

    class Meta:
        abstract = True
