# SPDX-License-Identifier: Apache-2.0
"""Mailboxes in the snapshot (VM-1, VM-3): what is set for the voicemail of a user, of a group, of the PBX itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Final

from msgspec import Meta

from engine.sdk import N_, NOTICES, Notice, Noticed, Part, Ref, Snapshot, SoundElement, To, User
from plugins.groups.api import Group

USER_VOICEMAIL: Final = "voicemail.user"
GROUP_VOICEMAIL: Final = "voicemail.group"
"""Targets of calls, by the id of the user or group."""
OWNERS: Final = (User.kind, Group.kind)


class Mailbox(Noticed, frozen=True, kw_only=True):
    kind: ClassVar[str] = "voicemail.mailbox"
    noun: ClassVar[str] = N_("Voicemail")
    active: Annotated[bool, Meta(title="Voicemail is on")] = True
    greeting: Annotated[Ref | None, To(SoundElement), Meta(title="Greeting file")] = None
    beep: Annotated[bool, Meta(title="Beep after the greeting")] = True
    max_seconds: Annotated[int, Meta(title="Longest message, seconds")] = 120
    silence_seconds: Annotated[int, Meta(title="Silence that ends a message, seconds")] = 5
    """0: silence does not end it."""
    notice: Annotated[Notice, Meta(title="Notices of voicemail", extra={"words": NOTICES})] = "attachment"

    def stands_in(self) -> Ref | None:
        if not self.active or self.parent is None or self.parent.kind != User.kind:
            return None
        return Ref(USER_VOICEMAIL, self.parent.id)


class VoicemailPart(Part, frozen=True, kw_only=True):
    places: ClassVar[Mapping[str, str]] = {USER_VOICEMAIL: User.kind, GROUP_VOICEMAIL: Group.kind}
    mailboxes: tuple[Mailbox, ...] = ()


def mailbox_of(snapshot: Snapshot, owner: Ref) -> Mailbox:
    """What is set, else what holds where nothing is: whoever leads calls there wants them taken."""
    return snapshot.attached(owner, Mailbox) or Mailbox(id=0, title="", parent=owner)
