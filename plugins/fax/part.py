# SPDX-License-Identifier: Apache-2.0
"""Fax machines in the snapshot (VM-2, VM-3): what is set for the fax of a user, of a group, of the PBX itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Final

from msgspec import Meta

from engine.sdk import N_, NOTICES, Notice, Noticed, Part, Ref, Snapshot, User
from plugins.groups.api import Group

USER_FAX: Final = "fax.user"
GROUP_FAX: Final = "fax.group"
"""Targets of calls, by the id of the user or group."""
OWNERS: Final = (User.kind, Group.kind)


class Machine(Noticed, frozen=True, kw_only=True):
    """A virtual fax machine."""

    kind: ClassVar[str] = "fax.machine"
    noun: ClassVar[str] = N_("Fax")
    active: Annotated[bool, Meta(title="Fax is on")] = True
    notice: Annotated[Notice, Meta(title="Notices of faxes", extra={"words": NOTICES})] = "attachment"


class FaxPart(Part, frozen=True, kw_only=True):
    places: ClassVar[Mapping[str, str]] = {USER_FAX: User.kind, GROUP_FAX: Group.kind}
    machines: tuple[Machine, ...] = ()


def machine_of(snapshot: Snapshot, owner: Ref) -> Machine:
    """What is set, else what holds where nothing is: whoever leads calls there wants the faxes."""
    return snapshot.attached(owner, Machine) or Machine(id=0, title="", parent=owner)
