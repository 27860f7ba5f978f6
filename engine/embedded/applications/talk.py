# SPDX-License-Identifier: Apache-2.0
"""Applications that join a channel with another party: bridge (dials it) and intercept (takes it over)."""

from __future__ import annotations

from engine.embedded import bridge as bridging
from engine.embedded import causes, text
from engine.embedded.channel import Channel
from engine.embedded.originate import Originate
from engine.esl.words import separate

# as FreeSWITCH names them in DIALSTATUS
_DIALSTATUS = {
    "SUCCESS": "SUCCESS",
    "USER_BUSY": "BUSY",
    "NO_ANSWER": "NOANSWER",
    "NO_USER_RESPONSE": "NOANSWER",
    "ORIGINATOR_CANCEL": "CANCEL",
    "CALL_REJECTED": "DONTCALL",
    "UNALLOCATED_NUMBER": "INVALIDARGS",
    "NO_ROUTE_DESTINATION": "CHANUNAVAIL",
    "USER_NOT_REGISTERED": "CHANUNAVAIL",
    "SUBSCRIBER_ABSENT": "CHANUNAVAIL",
    "DESTINATION_OUT_OF_ORDER": "CHANUNAVAIL",
}


async def bridge(channel: Channel, data: str) -> None:
    for name in ("originate_disposition", "originate_causes", "originated_legs", "last_bridge_proto_specific_hangup_cause"):
        channel.set(name, None)
    outcome = await Originate(channel.switch, data, originator=channel).run()
    if channel.is_down():
        if outcome.channel is not None:
            outcome.channel.hangup("ORIGINATOR_CANCEL")
        return
    channel.set("originate_disposition", outcome.cause)
    channel.set("DIALSTATUS", _DIALSTATUS.get(outcome.cause, "CONGESTION"))
    channel.respond(outcome.cause)
    if outcome.channel is None:
        _failed(channel, outcome.cause)
        return
    epoch = channel.epoch
    joined = await bridging.lead(channel, outcome.channel) if channel.pre_answer() else False
    if not joined and channel.epoch == epoch:
        outcome.channel.hangup("ORIGINATOR_CANCEL" if channel.is_down() else "INCOMPATIBLE_DESTINATION")


def _failed(channel: Channel, cause: str) -> None:
    """Go on or hang up, as continue_on_fail and failure_causes say."""
    go_on, ends = channel.get("continue_on_fail"), channel.get("failure_causes")
    number = str(causes.NUMBERS.get(cause, 0))
    if go_on is None and ends is None:
        stays = cause in ("NO_ANSWER", "NO_USER_RESPONSE", "ORIGINATOR_CANCEL")
    else:
        stays = ends is not None and not _listed(ends, cause, number)
        stays = stays or (go_on is not None and (text.true(go_on) or _listed(go_on, cause, number)))
    if not stays:
        channel.hangup(cause)


def _listed(names: str, cause: str, number: str) -> bool:
    return any(name.strip().upper() in (cause, number) for name in names.split(","))


async def intercept(channel: Channel, data: str) -> None:
    """`intercept [-bleg] UUID`: talk with that party; the one it talked with, or that it calls, is dropped."""
    words = separate(data, " ")
    other_leg = bool(words) and words[0] == "-bleg"
    uuid = words[-1] if words else ""
    switch = channel.switch
    target = switch.channels.get(uuid)
    if target is not None and other_leg:
        target = switch.channels.get(target.partner_uuid)
    if target is None or target is channel:
        return
    partner = switch.channels.get(target.partner_uuid)
    if not channel.answer():
        return
    if not target.answered:
        target.answer()
    channel.set("intercepted_uuid" if partner is None else "intercept_unbridged_only", None)
    bridging.order(switch, target.uuid, channel.uuid)
    if partner is not None:
        partner.hangup("PICKED_OFF")


APPLICATIONS = {"bridge": bridge, "intercept": intercept}
