# SPDX-License-Identifier: Apache-2.0
"""Who is told of what has come for somebody (VM-3), or was missed (GRP-7)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, Literal, Protocol, TypeAlias, runtime_checkable

from msgspec import Meta

from engine.i18n import N_
from engine.snapshot.element import Attached, IdOf, Ref

Notice: TypeAlias = Literal["attachment", "notice", "none"]
"""«Отправка уведомления с вложением», «Отправка только уведомления», «Не отправлять»."""
NOTICES: Final[Mapping[Notice, str]] = {
    "attachment": N_("Notice with the message attached"),
    "notice": N_("Notice only"),
    "none": N_("Do not send"),
}


class Noticed(Attached, frozen=True, kw_only=True):
    """A mailbox of something that comes for the owner, and who is told of it (VM-3)."""

    emails: Annotated[tuple[str, ...], Meta(title="E-mail")] = ()
    hidden_emails: Annotated[tuple[str, ...], Meta(title="Hidden e-mail")] = ()
    notice: Annotated[Notice, Meta(title="Notices of new messages", extra={"words": NOTICES})] = "attachment"
    chats: Annotated[tuple[int, ...], IdOf("telegram.chat"), Meta(title="Telegram chats")] = ()


@runtime_checkable
class Alerted(Protocol):
    """An element that names people to be told of the calls it missed (GRP-7)."""

    @property
    def title(self) -> str: ...
    @property
    def ref(self) -> Ref: ...
    @property
    def missed_emails(self) -> tuple[str, ...]: ...
    @property
    def missed_chats(self) -> tuple[int, ...]:
        """Telegram's chat ids."""
