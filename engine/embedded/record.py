# SPDX-License-Identifier: Apache-2.0
"""What is known of a channel: its variables, profile and state, and how events tell them; the passive half of Channel."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from engine.embedded import text
from engine.embedded.events import Headers, Value
from engine.embedded.media import ChannelMedia
from engine.embedded.profile import CallerProfile, now_us

if TYPE_CHECKING:
    from engine.embedded.switch import Switch


class State(enum.IntEnum):
    """Channel states with FreeSWITCH's numbers."""

    NEW = 0
    INIT = 1
    ROUTING = 2
    SOFT_EXECUTE = 3
    EXECUTE = 4
    EXCHANGE_MEDIA = 5
    PARK = 6
    CONSUME_MEDIA = 7
    HIBERNATE = 8
    RESET = 9
    HANGUP = 10
    REPORTING = 11
    DESTROY = 12


# events without a channel's variables
_BRIEF = frozenset(("CHANNEL_STATE", "CHANNEL_CALLSTATE", "DTMF", "CHANNEL_OUTGOING", "CODEC"))
_CODEC_HEADERS = ("Read", "Write")
_CALLSTATES = ("DOWN", "DIALING", "RINGING", "EARLY", "ACTIVE", "HELD", "RING_WAIT", "HANGUP", "UNHELD")


class ChannelRecord:
    """`media` is handed in by Channel, which owns what happens to it."""

    def __init__(
        self, switch: Switch, media: ChannelMedia, *, uuid: str, direction: str, name: str, profile: CallerProfile
    ) -> None:
        self.switch = switch
        self.media = media
        self.uuid = uuid
        self.direction = direction
        self.name = name
        profile.uuid, profile.chan_name, profile.direction = uuid, name, direction
        profile.logical_direction = direction
        self.profile = profile
        profile.times.created = profile.times.profile_created = now_us()
        self.other_profile: CallerProfile | None = None
        self.other_type = ""
        self.variables: dict[str, Value] = {}
        self._mixed_case: dict[str, str] = {}
        self.state = State.NEW
        self.running_state = State.NEW
        self.callstate = "DOWN"
        self.cause = ""
        self.answered = False
        self.early = False
        self.ringing = False
        self.hit_dialplan = direction == "inbound"
        self.application = ""
        self.application_data = ""
        self.set("direction", direction)
        self.set("uuid", uuid)
        self.set("session_id", str(switch.next_session()))
        self.set("call_uuid", uuid)

    def __repr__(self) -> str:
        return f"<Channel {self.name} {self.uuid} {self.state.name}>"

    # -- variables ---------------------------------------------------------------------------------------------------

    def set(self, name: str, value: str | None) -> None:
        """None or "" removes it."""
        if value:
            if name not in self.variables and not name.islower():
                self._mixed_case[name.lower()] = name
            self.variables[name] = value
        else:
            self.variables.pop(name, None)

    def push(self, name: str, value: str) -> None:
        """One more element of an array variable; events show one element as a scalar."""
        found = self.variables.get(name)
        if found is None:
            self.variables[name] = value
        else:
            self.variables[name] = [*([found] if isinstance(found, str) else found), value]

    def get(self, name: str) -> str | None:
        """A variable, else a field of the caller profile, else a global variable."""
        value = self.variables.get(name)
        if value is None:
            # FreeSWITCH does not tell cases apart
            lowered = name.lower()
            value = self.variables.get(self._mixed_case.get(lowered, lowered))
        if value is not None:
            return value if isinstance(value, str) else "ARRAY::" + "|:".join(value)
        if name in ("state", "channel_name"):
            return f"CS_{self.state.name}" if name == "state" else self.name
        if name in CallerProfile.__slots__ and name not in ("times", "profile_index"):
            return str(getattr(self.profile, name)) or None
        return self.switch.globals.get(name)

    def is_true(self, name: str) -> bool:
        return text.true(self.get(name))

    def expand(self, template: str) -> str:
        return text.expand(template, self.get)

    # -- events ------------------------------------------------------------------------------------------------------

    def headers(self, *, with_variables: bool = True, extra: Headers | None = None) -> Headers:
        """What events tell of this channel."""
        found: Headers = {
            "Channel-State": f"CS_{self.running_state.name}",
            "Channel-Call-State": self.callstate,
            "Channel-State-Number": str(int(self.state)),
            "Channel-Name": self.name,
            "Unique-ID": self.uuid,
            "Call-Direction": self.direction,
            "Presence-Call-Direction": self.direction,
            "Channel-HIT-Dialplan": "true" if self.hit_dialplan else "false",
            "Channel-Call-UUID": self.get("call_uuid") or self.uuid,
            "Answer-State": self.answer_state,
        }
        if presence := self.variables.get("presence_id"):
            found["Channel-Presence-ID"] = presence
        if self.cause:
            found["Hangup-Cause"] = self.cause
        if self.media.remote is not None:
            codec = self.media.remote.codec.name
            for side in _CODEC_HEADERS:
                found[f"Channel-{side}-Codec-Name"] = codec
                found[f"Channel-{side}-Codec-Rate"] = "8000"
                found[f"Channel-{side}-Codec-Bit-Rate"] = "64000"
        self.profile.headers("Caller", found)
        if self.other_profile is not None:
            found["Other-Type"] = self.other_type
            self.other_profile.headers("Other-Leg", found)
        if with_variables:
            for name, value in self.variables.items():
                found[f"variable_{name}"] = value
        if extra:
            found.update(extra)
        return found

    @property
    def answer_state(self) -> str:
        if self.is_down():
            return "hangup"
        return "answered" if self.answered else "early" if self.early else "ringing"

    def fire(self, name: str, extra: Headers | None = None, *, subclass: str = "") -> None:
        self.switch.media.poll()  # events mark the steps of a call's work; sound is sent between them
        self.switch.bus.fire(
            name, lambda: self.headers(with_variables=name not in _BRIEF, extra=extra), subclass=subclass, origin="channel"
        )

    def other(self, channel: ChannelRecord, kind: str) -> None:
        """Remember the party of the bridge (`originator` or `originatee`) for the Other-Leg headers."""
        self.other_profile, self.other_type = channel.profile.snapshot(), kind

    # -- states ------------------------------------------------------------------------------------------------------

    def is_down(self) -> bool:
        return self.state >= State.HANGUP

    def set_callstate(self, callstate: str) -> None:
        if callstate == self.callstate:
            return
        before, self.callstate = self.callstate, callstate
        number = str(_CALLSTATES.index(callstate))
        self.fire("CHANNEL_CALLSTATE", {"Original-Channel-Call-State": before, "Channel-Call-State-Number": number})

    def step_profile(self, **changes: str) -> None:
        self.profile = self.profile.stepped(**changes)
