# SPDX-License-Identifier: Apache-2.0
"""The core's own rows ↔ CorePart, as every plugin does it for its rows; used by Revisions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from engine.db import AccountRow, Tx, models
from engine.db.keys import keep_sequence
from engine.errors import NotFound
from engine.i18n import N_
from engine.numbering import to_e164
from engine.revisions.refs import ref_columns, ref_of
from engine.snapshot import EXTENSION, Account, Contact, CorePart, Did, Finding, Ref, SipAccount, Snapshot, Trunk, User, references

_SAME_ACCOUNT = (
    "number", "title", "domain", "area_code", "timezone", "language", "max_hold_seconds", "ring_timeout_seconds", "active",
)  # fmt: skip
_SAME_TRUNK = (
    "title", "registers", "server", "port", "transport", "login", "secret", "realm", "channels", "active", "passes_foreign",
)  # fmt: skip
_SAME_USER = ("title", "extension", "active", "recording", "no_ivr_transfer", "pin", "role", "language")
_SAME_CONTACT = ("kind", "address", "priority", "active", "lines", "timeout_seconds", "by_number")


class CoreStore:
    """PartStore of the core.

    Cabinet logins and rights are no configuration: a restored user keeps those he has, a revived one has no login and no rights.
    """

    part = CorePart

    async def load(self, account_id: int, tx: Tx) -> CorePart:
        row = await models.Account.filter(id=account_id).using_db(tx).first()
        if row is None:
            raise NotFound
        contacts: dict[int, list[Contact]] = {}
        for contact in await models.Contact.of(account_id, tx).order_by("priority", "id"):
            contacts.setdefault(contact.user_id, []).append(
                Contact(id=contact.id, schedule=ref_of(contact, "schedule"), **_values(contact, _SAME_CONTACT))
            )
        return CorePart(
            account=Account(
                id=row.id, hold_music=ref_of(row, "hold_music"), recording_notice=ref_of(row, "recording_notice"),
                whitelist=tuple(row.whitelist),
                client_prefixes=tuple(row.client_prefixes), **_values(row, _SAME_ACCOUNT),
            ),
            users=tuple(
                User(
                    id=user.id,
                    outbound=_ref(Did, user.outbound_did_id),
                    schedule=ref_of(user, "schedule"),
                    forbidden_prefixes=tuple(user.forbidden_prefixes),
                    contacts=tuple(contacts.get(user.id, ())),
                    **_values(user, _SAME_USER),
                )
                for user in await models.User.of(account_id, tx).order_by("id")
            ),
            sip_accounts=tuple(
                SipAccount(id=sip.id, login=sip.login, secret=sip.secret, user=sip.user_id, contact=sip.contact_id)
                for sip in await models.SipAccount.of(account_id, tx).order_by("id")
            ),
            trunks=tuple(
                Trunk(
                    id=trunk.id,
                    sources=tuple(trunk.sources),
                    may_show=tuple(Ref.parse(text) for text in trunk.may_show),
                    **_values(trunk, _SAME_TRUNK),
                )
                for trunk in await models.Trunk.of(account_id, tx).order_by("id")
            ),
            dids=tuple(
                Did(id=did.id, title=did.title, number=did.number, trunk=Ref(Trunk.kind, did.trunk_id), connected=did.connected)
                for did in await models.Did.of(account_id, tx).order_by("connected", "id")
            ),
            extensions=tuple(
                (extension.number, Ref(extension.owner_kind, extension.owner_id))
                for extension in await models.Extension.of(account_id, tx).order_by("number")
            ),
        )

    async def restore(self, account_id: int, part: CorePart, tx: Tx) -> None:
        rows = _Rows(account_id, tx)
        await self._restore_account(account_id, part.account, tx)
        # what points goes before what is pointed at, so that no foreign key is ever in the way
        await rows.keep(models.SipAccount, [sip.id for sip in part.sip_accounts])
        await rows.keep(models.Contact, [contact.id for user in part.users for contact in user.contacts])
        await models.User.of(account_id, tx).update(outbound_did_id=None)
        await rows.keep(models.User, [user.id for user in part.users])
        await rows.write(models.Trunk, {trunk.id: _trunk(trunk) for trunk in part.trunks})
        await rows.keep(models.Did, [did.id for did in part.dids])
        dids = {d.id: {"number": d.number, "title": d.title, "trunk_id": d.trunk.id, "connected": d.connected} for d in part.dids}
        await rows.write(models.Did, dids, unique="number")
        await rows.keep(models.Trunk, [trunk.id for trunk in part.trunks])
        await rows.write(models.User, {user.id: _user(user) for user in part.users})
        await rows.write(models.Contact, {c.id: _contact(user, c) for user in part.users for c in user.contacts})
        sips = {s.id: {"login": s.login, "secret": s.secret, "user_id": s.user, "contact_id": s.contact} for s in part.sip_accounts}
        await rows.write(models.SipAccount, sips, unique="login")
        await models.Extension.of(account_id, tx).delete()
        for number, owner in part.extensions:
            await models.Extension.create(account_id=account_id, number=number, owner_kind=owner.kind, owner_id=owner.id, using_db=tx)

    async def _restore_account(self, account_id: int, account: Account, tx: Tx) -> None:
        await models.Account.filter(id=account_id).using_db(tx).update(
            whitelist=list(account.whitelist), client_prefixes=list(account.client_prefixes),
            **ref_columns("hold_music", account.hold_music), **ref_columns("recording_notice", account.recording_notice),
            **_values(account, _SAME_ACCOUNT),
        )

    async def tidy(self, account_id: int, tx: Tx) -> None:
        """Take back the internal numbers of users who were deleted."""
        users = {user.id for user in await models.User.of(account_id, tx).only("id")}
        owned = models.Extension.of(account_id, tx).filter(owner_kind=User.kind)
        gone = [row.id for row in await owned if row.owner_id not in users]
        if gone:
            await models.Extension.of(account_id, tx).filter(id__in=gone).delete()

    def check(self, part: CorePart, whole: Snapshot) -> Iterable[Finding]:
        try:
            ZoneInfo(part.account.timezone)
        except (KeyError, ValueError):  # ZoneInfoNotFoundError is a KeyError
            yield Finding("error", None, N_("There is no time zone “{name}”."), {"name": part.account.timezone})
        for did in part.dids:
            if to_e164(did.number) != did.number:
                yield Finding("error", did.ref, N_("{number} is no phone number in international form (+7…)."), {"number": did.number})
        for element in whole.elements():
            for ref in references(element):
                if ref.kind == EXTENSION and whole.extension(str(ref.id)) is None:
                    message = N_("It leads to the internal number {number}, which nobody has.")
                    yield Finding("error", element.ref, message, {"number": str(ref.id)})
        with_phone = {sip.contact for sip in part.sip_accounts}
        for user in part.users:
            for contact in user.contacts:
                if contact.kind == "sip" and contact.id not in with_phone:
                    message = N_("The SIP contact {address} has no account to register with.")
                    yield Finding("warning", user.ref, message, {"address": contact.address})
                if contact.kind == "phone" and to_e164(contact.address) != contact.address:
                    message = N_("{number} is no phone number in international form (+7…).")
                    yield Finding("error", user.ref, message, {"number": contact.address})


class _Rows:
    """Makes the rows of one account equal to what a part says."""

    def __init__(self, account_id: int, tx: Tx) -> None:
        self.account_id = account_id
        self.tx = tx

    async def keep(self, model: type[AccountRow], ids: Sequence[int]) -> None:
        """Delete every row but these."""
        gone = [row.pk for row in await model.of(self.account_id, self.tx) if row.pk not in set(ids)]
        if gone:
            await model.of(self.account_id, self.tx).filter(pk__in=gone).delete()

    async def write(self, model: type[AccountRow], wanted: Mapping[int, dict[str, Any]], unique: str = "") -> None:
        """Update the rows that differ, insert those that are missing under their old keys.

        `unique`: a column whose values may have been swapped between rows; they pass through a value nobody has.
        """
        have = {row.pk: row for row in await model.of(self.account_id, self.tx)}
        changed = {
            id: values for id, values in wanted.items() if id in have and any(getattr(have[id], k) != v for k, v in values.items())
        }
        if unique:
            for id, values in changed.items():
                if getattr(have[id], unique) != values[unique]:
                    await model.of(self.account_id, self.tx).filter(pk=id).update(**{unique: f"~{id}"})
        for id, values in changed.items():
            await model.of(self.account_id, self.tx).filter(pk=id).update(**values)
        missing = [model(id=id, account_id=self.account_id, **values) for id, values in wanted.items() if id not in have]
        if missing:
            await model.bulk_create(missing, using_db=self.tx)
            await keep_sequence(model, self.tx)


def _values(source: Any, names: Sequence[str]) -> dict[str, Any]:
    return {name: getattr(source, name) for name in names}


def _ref(kind: type[Did], id: int | None) -> Ref | None:
    return None if id is None else Ref(kind.kind, id)


def _trunk(trunk: Trunk) -> dict[str, Any]:
    return {"sources": list(trunk.sources), "may_show": [str(ref) for ref in trunk.may_show], **_values(trunk, _SAME_TRUNK)}


def _user(user: User) -> dict[str, Any]:
    return {
        "outbound_did_id": user.outbound.id if user.outbound else None,
        "forbidden_prefixes": list(user.forbidden_prefixes),
        **ref_columns("schedule", user.schedule),
        **_values(user, [name for name in _SAME_USER if name != "role"]),
    }


def _contact(user: User, contact: Contact) -> dict[str, Any]:
    return {"user_id": user.id, **ref_columns("schedule", contact.schedule), **_values(contact, _SAME_CONTACT)}


