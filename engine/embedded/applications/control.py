# SPDX-License-Identifier: Apache-2.0
"""Applications that change a call or its variables and return at once, and park and sleep, which wait."""

from __future__ import annotations

import logging

from engine.embedded import causes, text
from engine.embedded.channel import Channel, Why
from engine.embedded.scheduler import seconds_until
from engine.esl.words import separate

log = logging.getLogger(__name__)


async def answer(channel: Channel, data: str) -> None:
    channel.answer()


async def pre_answer(channel: Channel, data: str) -> None:
    channel.pre_answer()


async def ring_ready(channel: Channel, data: str) -> None:
    channel.ring_ready()


async def respond(channel: Channel, data: str) -> None:
    """`respond 486 Busy Here`: a final SIP answer of one's own to an unanswered call."""
    code, _, reason = data.strip().partition(" ")
    status = text.number(code)
    if not 300 <= status < 700:
        log.warning("%s: respond %r: no final status", channel.name, data)
        return
    if channel.leg is not None and channel.direction == "inbound" and not channel.answered:
        channel.leg.refuse(status, reason.strip())
    channel.hangup(causes.of_sip(status))


async def hangup(channel: Channel, data: str) -> None:
    channel.hangup(causes.parse(data))


async def set_variable(channel: Channel, data: str) -> None:
    name, equals, value = data.partition("=")
    if name.strip() and equals:
        channel.set(name.strip(), value.strip())


async def multiset(channel: Channel, data: str) -> None:
    """`a=1 b=2`, or with another separator `^^;a=1;b=2`."""
    delimiter = " "
    if data.startswith("^^") and len(data) > 2:
        delimiter, data = data[2], data[3:]
    for pair in separate(data, delimiter):
        await set_variable(channel, pair)


async def unset(channel: Channel, data: str) -> None:
    channel.set(data.strip(), None)


async def export(channel: Channel, data: str) -> None:
    """Like set, and the legs that `bridge` calls get the variable too (`nolocal:` = only they)."""
    name, _, value = data.partition("=")
    name = name.strip()
    bare = name.removeprefix("nolocal:").removeprefix("_nolocal_")
    if not bare:
        return
    channel.set(bare, value.strip())
    exported = [one for one in (channel.get("export_vars") or "").split(",") if one]
    if bare not in exported:
        channel.set("export_vars", ",".join([*exported, bare]))


async def transfer(channel: Channel, data: str) -> None:
    words = separate(data, " ")
    if words and words[0]:
        channel.switch.transfer(channel, *[*words, "", "", ""][:3])


async def sched_transfer(channel: Channel, data: str) -> None:
    words = separate(data, " ")
    if len(words) >= 2:
        target = [*words[1:], "", "", ""][:3]
        channel.switch.sched_transfer(channel.uuid, seconds_until(words[0]), *target)


async def sched_hangup(channel: Channel, data: str) -> None:
    words = separate(data, " ")
    if words and words[0]:
        cause = causes.parse(words[1] if len(words) > 1 else "", "ALLOTTED_TIMEOUT")
        channel.switch.sched_hangup(channel.uuid, seconds_until(words[0]), cause)


async def sleep(channel: Channel, data: str) -> bool | None:
    until = channel.switch.loop.time() + max(0, text.number(data)) / 1000
    return (await channel.wait(_never, until=until)) is not Why.BREAK


async def park(channel: Channel, data: str) -> None:
    """Wait under the control of commands, for ever or until `park_timeout` (`seconds[:CAUSE]`)."""
    if channel.parked:
        log.error("%s: cannot park channels that are under control already", channel.name)
        return
    until, cause = None, "NORMAL_CLEARING"
    if timeout := channel.get("park_timeout"):
        seconds, colon, name = timeout.partition(":")
        cause = causes.parse(name.partition(":")[0]) if colon else cause
        if (limit := text.number(seconds)) >= 0:
            until = channel.switch.loop.time() + limit
        channel.set("park_timeout", None)
        channel.set("park_after_bridge", None)
    channel.parked = True
    channel.fire("CHANNEL_PARK")
    why = await channel.wait(_never, until=until, breakable=False)
    channel.parked = False
    if why is Why.TIMEOUT:
        channel.hangup(cause)
    channel.fire("CHANNEL_UNPARK")


async def nothing(channel: Channel, data: str) -> None:
    """Applications without an effect here (log, info, presence …)."""


def _never() -> bool:
    return False


APPLICATIONS = {
    "answer": answer,
    "pre_answer": pre_answer,
    "ring_ready": ring_ready,
    "respond": respond,
    "hangup": hangup,
    "set": set_variable,
    "multiset": multiset,
    "unset": unset,
    "export": export,
    "transfer": transfer,
    "sched_transfer": sched_transfer,
    "sched_hangup": sched_hangup,
    "sleep": sleep,
    "park": park,
    "log": nothing,
    "info": nothing,
    "verbose_events": nothing,
}
