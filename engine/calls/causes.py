# SPDX-License-Identifier: Apache-2.0
"""Hangup causes by their Q.850/FreeSWITCH names, and which of them mean the same to a call; their words for people: engine.telling."""

from __future__ import annotations

from typing import Final, TypeAlias

HangupCause: TypeAlias = str
"""The name exactly as the switch gives it; unknown ones are kept verbatim."""

NORMAL_CLEARING: Final = "NORMAL_CLEARING"
USER_BUSY: Final = "USER_BUSY"
NO_ANSWER: Final = "NO_ANSWER"
NO_USER_RESPONSE: Final = "NO_USER_RESPONSE"
CALL_REJECTED: Final = "CALL_REJECTED"
ORIGINATOR_CANCEL: Final = "ORIGINATOR_CANCEL"
LOSE_RACE: Final = "LOSE_RACE"
BLIND_TRANSFER: Final = "BLIND_TRANSFER"
ATTENDED_TRANSFER: Final = "ATTENDED_TRANSFER"
PICKED_OFF: Final = "PICKED_OFF"
UNALLOCATED_NUMBER: Final = "UNALLOCATED_NUMBER"
NORMAL_TEMPORARY_FAILURE: Final = "NORMAL_TEMPORARY_FAILURE"
USER_NOT_REGISTERED: Final = "USER_NOT_REGISTERED"
SUBSCRIBER_ABSENT: Final = "SUBSCRIBER_ABSENT"
ALLOTTED_TIMEOUT: Final = "ALLOTTED_TIMEOUT"
OUTGOING_CALL_BARRED: Final = "OUTGOING_CALL_BARRED"
INVALID_NUMBER_FORMAT: Final = "INVALID_NUMBER_FORMAT"
FACILITY_NOT_SUBSCRIBED: Final = "FACILITY_NOT_SUBSCRIBED"
GATEWAY_DOWN: Final = "GATEWAY_DOWN"
NORMAL_CIRCUIT_CONGESTION: Final = "NORMAL_CIRCUIT_CONGESTION"
RECOVERY_ON_TIMER_EXPIRE: Final = "RECOVERY_ON_TIMER_EXPIRE"
NETWORK_OUT_OF_ORDER: Final = "NETWORK_OUT_OF_ORDER"
NO_PICKUP: Final = "NO_PICKUP"
"""There was no call to pick up."""
ENGINE_LOST: Final = "ENGINE_LOST"
"""Ours: the leg ended while no engine listened and no record of the switch says how."""
SWITCH_LOST: Final = "SWITCH_LOST"
"""Ours: the switch itself was restarted under the leg."""

REPLACED: Final = (ATTENDED_TRANSFER, PICKED_OFF)
"""How switches end a leg whose place a phone has given to another one."""
LINE_CAUSES: Final = frozenset(
    {GATEWAY_DOWN, NORMAL_TEMPORARY_FAILURE, NORMAL_CIRCUIT_CONGESTION, RECOVERY_ON_TIMER_EXPIRE, NETWORK_OUT_OF_ORDER}
    | {"SWITCH_CONGESTION", "REQUESTED_CHAN_UNAVAIL", "DESTINATION_OUT_OF_ORDER"}
)
"""The line is at fault, not whom it leads to: another line may reach him (R16)."""
LINE_REFUSALS: Final = frozenset({"sip:401", "sip:402", "sip:403", "sip:407"})
"""So is a provider that does not let us call: unpaid, unknown, this direction not allowed. The cause is CALL_REJECTED as for a 603."""
