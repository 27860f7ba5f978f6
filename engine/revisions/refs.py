# SPDX-License-Identifier: Apache-2.0
"""A Ref kept in two columns (`schedule_kind`, `schedule_id`): read and written by the part stores."""

from __future__ import annotations

from tortoise.models import Model

from engine.snapshot import Ref


def ref_of(row: Model, name: str) -> Ref | None:
    """The reference in the columns `<name>_kind` and `<name>_id`."""
    kind, number = getattr(row, f"{name}_kind"), getattr(row, f"{name}_id")
    return Ref(kind, number) if kind is not None and number is not None else None


def ref_columns(name: str, ref: Ref | None) -> dict[str, str | int | None]:
    """The two columns of a reference, as keyword arguments of `create` and `update`."""
    return {f"{name}_kind": ref.kind if ref else None, f"{name}_id": ref.id if ref else None}
