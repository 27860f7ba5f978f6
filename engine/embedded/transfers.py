# SPDX-License-Identifier: Apache-2.0
"""Transfers: by command (uuid_transfer), by a phone's REFER, blind or with Replaces, and by INVITE with Replaces."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from engine.embedded import bridge, hold
from engine.embedded.channel import Channel
from engine.embedded.record import State

if TYPE_CHECKING:
    from engine.embedded.sip.transfer import Refer

log = logging.getLogger(__name__)


def to_extension(channel: Channel, extension: str, dialplan: str = "", context: str = "") -> None:
    """Send a channel to an extension: a new caller profile, and the dialplan anew."""
    if channel.is_down() or not extension:
        return
    before = channel.profile
    dialplan = dialplan or ("XML" if before.dialplan.lower() == "inline" else before.dialplan) or "XML"
    context = context or before.context or "default"
    source = f"{int(time.time())}:{channel.uuid}:bl_xfer:{extension}/{context}/{dialplan}"
    channel.step_profile(
        destination_number=extension,
        dialplan=dialplan,
        context=context,
        transfer_source=source,
        rdnis=before.destination_number,
    )
    channel.set("transfer_source", source)
    channel.push("transfer_history", source)
    channel.redirect(State.ROUTING)


def referred(channel: Channel, refer: Refer) -> None:
    """A phone asks to transfer the party it talks with. Who talks through a trunk may not: it would be at the customer's cost."""
    if channel.leg is None or channel.leg.call is None or channel.leg.call.listener == "trunk":
        log.warning("%s: a transfer asked by an outside party refused", channel.name)
        refer.reject(403)
        return
    partner = channel.bridge.other(channel) if channel.bridge is not None else None
    if partner is None or partner.is_down():
        log.info("%s: a transfer of nobody refused", channel.name)
        refer.reject(403)
        return
    if refer.replaces is None:
        _blind(channel, partner, refer, refer.target.user, refer.target_uri)
        return
    switch = channel.switch
    replaces = refer.replaces
    other = switch.channel_of(switch.agent.find_dialog(replaces.call_id, replaces.to_tag, replaces.from_tag))
    if other is None or other is channel:
        log.info("%s: a transfer to a call that is not here refused", channel.name)
        refer.reject(481)
        return
    target = other.bridge.other(other) if other.bridge is not None else None
    if target is None or target.is_down():
        _early(channel, partner, other, refer)
    elif target is partner:
        refer.reject(403)
    else:
        _attended(channel, partner, other, target, refer)


def _mark(partner: Channel, refer: Refer) -> None:
    partner.set("sip_refer_to", refer.header)
    if refer.referred_by:
        partner.set("sip_h_Referred-By", refer.referred_by)
        partner.set("sip_referred_by", refer.referred_by)


def _context(partner: Channel) -> str:
    return partner.get("force_transfer_context") or partner.profile.context


def _accept(channel: Channel, refer: Refer) -> None:
    refer.accept()
    if channel.leg is not None and channel.leg.call is not None:
        channel.leg.call.notify_refer(refer, 200, True)


def _blind(channel: Channel, partner: Channel, refer: Refer, extension: str, uri: str) -> None:
    if not extension:
        refer.reject(400)
        return
    _accept(channel, refer)
    _mark(partner, refer)
    channel.set("endpoint_disposition", "BLIND_TRANSFER")
    channel.set("transfer_to", f"blind:{partner.uuid}:{uri}")
    to_extension(partner, extension, "XML", _context(partner))


def _tell(about: Channel, subclass: str, original: Channel, destination: Channel) -> None:
    about.fire(
        "CUSTOM",
        {
            "att_xfer_original_call_id": original.get("sip_call_id") or "",
            "att_xfer_destination_call_id": destination.get("sip_call_id") or "",
        },
        subclass=subclass,
    )


def _attended(transferor: Channel, partner: Channel, consultation: Channel, target: Channel, refer: Refer) -> None:
    """Both calls of the phone are talking: its two partners are joined."""
    switch = transferor.switch
    _accept(transferor, refer)
    _mark(partner, refer)
    _tell(consultation, "sofia::replaced", transferor, consultation)
    _tell(transferor, "sofia::transferor", transferor, consultation)
    _tell(partner, "sofia::transferee", transferor, consultation)
    consultation.set("endpoint_disposition", "ATTENDED_TRANSFER")
    consultation.set("transfer_disposition", "replaced")
    consultation.set("park_timeout", "2:attended_transfer")
    transferor.set("endpoint_disposition", "ATTENDED_TRANSFER")
    transferor.set("transfer_to", f"att:{target.uuid}")
    consultation.redirect(State.PARK)
    hold.unmark(transferor)
    transferor.hangup("ATTENDED_TRANSFER")
    bridge.order(switch, partner.uuid, target.uuid)


def _early(transferor: Channel, partner: Channel, consultation: Channel, refer: Refer) -> None:
    """The one asked still rings: the partner goes to the number the phone has dialled; the engine joins the two."""
    _accept(transferor, refer)
    _mark(partner, refer)
    number = consultation.profile.destination_number
    for leg in (consultation, transferor):
        leg.set("endpoint_disposition", "ATTENDED_TRANSFER")
    hold.unmark(transferor)
    to_extension(partner, number, "XML", _context(partner))
    consultation.hangup("ATTENDED_TRANSFER")
    transferor.hangup("ATTENDED_TRANSFER")


def take_over(channel: Channel, replaced: Channel) -> None:
    """An INVITE with Replaces: the new channel talks with the partner of the one it replaces."""
    partner = replaced.bridge.other(replaced) if replaced.bridge is not None else None
    if channel.is_down():
        return
    if partner is None or partner.is_down() or not channel.answer():
        channel.hangup("NO_PICKUP")
        return
    _tell(replaced, "sofia::replaced", replaced, channel)
    replaced.set("endpoint_disposition", "ATTENDED_TRANSFER")
    replaced.set("transfer_disposition", "replaced")
    replaced.hangup("ATTENDED_TRANSFER")
    bridge.order(channel.switch, partner.uuid, channel.uuid)
