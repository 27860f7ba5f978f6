# SPDX-License-Identifier: Apache-2.0
"""Tortoise's migrations with its traps closed; used by Database.migrate and `python -m engine.db.makemigrations`."""

from __future__ import annotations

from typing import Any, cast

from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.fields.relational import ForeignKeyFieldInstance
from tortoise.migrations.executor import MigrationExecutor
from tortoise.migrations.recorder import MigrationRecorder
from tortoise.migrations.schema_editor import AsyncpgSchemaEditor, BaseSchemaEditor, SqliteSchemaEditor
from tortoise.models import Model


class _Unconstrained(BaseSchemaEditor):
    """Honours `db_constraint=False`, which Tortoise's own migrations forget."""

    def _get_fk_field_definition(self, model: type[Model], key_field_name: str) -> str:
        column = model._meta.fields_map[key_field_name]
        foreign = cast("ForeignKeyFieldInstance[Any]", column.reference)
        if foreign.db_constraint:
            return super()._get_fk_field_definition(model, key_field_name)
        return self._get_field_sql(
            db_field=model._meta.fields_db_projection[key_field_name],
            field_type=column.get_for_dialect(self.DIALECT, "SQL_TYPE"),
            nullable=column.null,
            unique=column.unique,
            is_pk=column.pk,
            comment="",
        )


class _PostgresEditor(_Unconstrained, AsyncpgSchemaEditor):
    pass


class _SqliteEditor(_Unconstrained, SqliteSchemaEditor):
    """Without comments: Tortoise cuts its statements at every semicolon, also at one inside a model's docstring."""

    def _get_table_comment_sql(self, table: str, comment: str) -> str:
        return ""

    def _get_column_comment_sql(self, table: str, column: str, comment: str) -> str:
        return ""


class _Recorder(MigrationRecorder):
    async def ensure_schema(self, schema_editor: BaseSchemaEditor) -> None:
        """As one statement: a script would commit the transaction of SQLite."""
        statement = schema_editor._get_model_sql_data(self.model).table_sql
        await self.connection.execute_query(statement.replace("CREATE TABLE", "CREATE TABLE IF NOT EXISTS", 1).rstrip("; \n"))


class Executor(MigrationExecutor):
    def __init__(self, tx: BaseDBAsyncClient, apps: dict[str, Any]) -> None:
        super().__init__(tx, apps)
        self.recorder = self.loader.recorder = _Recorder(tx)

    async def prepare(self) -> None:
        """Make the table of applied migrations; asking for it in vain would spoil PostgreSQL's transaction."""
        await self.recorder.ensure_schema(self._schema_editor(atomic=False))

    def _schema_editor(self, atomic: bool = True, collect_sql: bool = False) -> BaseSchemaEditor:
        kind = _SqliteEditor if self.connection.capabilities.dialect == "sqlite" else _PostgresEditor
        return kind(self.connection, atomic=atomic, collect_sql=collect_sql)
