# SPDX-License-Identifier: Apache-2.0
"""The typed commands of a switch, as `engine.calls` gives them: orders return at once and never raise, queries are awaited.

An order that the switch refuses, or that cannot be sent, is logged with its call id and reported to `on_refused`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Literal
from uuid import uuid4

import msgspec

from engine.errors import SwitchError
from engine.esl import command
from engine.esl.connection import LOST, Connection
from engine.esl.event import Event, decode

log = logging.getLogger(__name__)

EVENTS = (
    "CHANNEL_CREATE", "CHANNEL_PROGRESS", "CHANNEL_PROGRESS_MEDIA", "CHANNEL_ANSWER", "CHANNEL_BRIDGE", "CHANNEL_UNBRIDGE",
    "CHANNEL_PARK", "CHANNEL_HOLD", "CHANNEL_UNHOLD", "CHANNEL_HANGUP_COMPLETE", "CHANNEL_EXECUTE_COMPLETE",
    "DTMF", "RECORD_START", "RECORD_STOP", "BACKGROUND_JOB", "HEARTBEAT",
)  # fmt: skip
SUBCLASSES = (
    "sofia::register", "sofia::unregister", "sofia::expire", "sofia::register_failure",
    "sofia::gateway_state", "sofia::gateway_add", "sofia::gateway_delete",
    "sofia::transferor", "sofia::transferee", "sofia::replaced",
    "spandsp::rxfaxresult", "spandsp::txfaxresult",
)  # fmt: skip

Row = dict[str, str]


class Refusal(msgspec.Struct, frozen=True):
    """An order the switch did not carry out. `lost`: it was not connected; else `answer` is what it said."""

    order: str
    uuid: str
    answer: str
    call: str = ""

    @property
    def lost(self) -> bool:
        return self.answer == LOST


class Switch:
    """Commands one switch over one connection.

    `call_of(uuid)` names the call a channel belongs to, for log lines.
    """

    def __init__(
        self,
        host: str,
        port: int,
        password: str,
        *,
        on_event: Callable[[Event], None],
        on_connected: Callable[[], None] = lambda: None,
        on_lost: Callable[[SwitchError], None] = lambda reason: None,
        on_refused: Callable[[Refusal], None] = lambda refusal: None,
        call_of: Callable[[str], str] = lambda uuid: "",
        events: Sequence[str] = EVENTS,
        subclasses: Sequence[str] = SUBCLASSES,
    ) -> None:
        self.on_refused = on_refused
        self._call_of = call_of
        self.connection = Connection(
            host, port, password, events=events, subclasses=subclasses, on_event=on_event, on_connected=on_connected, on_lost=on_lost,
        )

    def start(self) -> None:
        """Connect and stay connected."""
        self.connection.start()

    async def close(self) -> None:
        """Flush what was ordered and disconnect; calls go on without us."""
        await self.connection.close()

    @property
    def connected(self) -> bool:
        return self.connection.connected

    async def wait_connected(self, within: float | None = None) -> None:
        """See `Connection.wait_connected`."""
        await self.connection.wait_connected(within)

    # -- orders on one channel ------------------------------------------------------------------------------------

    def answer(self, uuid: str) -> None:
        self._order("uuid_answer", uuid)

    def pre_answer(self, uuid: str) -> None:
        """Early media (183)."""
        self._order("uuid_pre_answer", uuid)

    def ring_ready(self, uuid: str) -> None:
        """180 to the caller."""
        self._order("uuid_ring_ready", uuid)

    def respond(self, uuid: str, code: int) -> None:
        """End an unanswered call with this SIP status."""
        self.execute(uuid, "respond", str(code))

    def kill(self, uuid: str, cause: str = "NORMAL_CLEARING") -> None:
        """Hang up; `cause` is a Q.850 name as FreeSWITCH writes it."""
        self._order("uuid_kill", uuid, command.identifier(cause))

    def park(self, uuid: str) -> None:
        self._order("uuid_park", uuid)

    def bridge(self, one: str, other: str) -> None:
        """Join two channels. The unanswered one must have media (`pre_answer`), else both are lost."""
        self._order("uuid_bridge", one, command.identifier(other))

    def transfer(self, uuid: str, destination: str, context: str, *, both: bool = False) -> None:
        """Send the channel (`both`: its peer too) to an extension of the dialplan."""
        self._order(
            "uuid_transfer", uuid, f"{'-both ' if both else ''}{command.identifier(destination)} XML {command.identifier(context)}"
        )

    def break_(self, uuid: str) -> None:
        """Stop every application that plays or waits on the channel."""
        self._order("uuid_break", uuid, "all")

    def setvar(self, uuid: str, name: str, value: str) -> None:
        self._order("uuid_setvar", uuid, f"{command.identifier(name)} {command.one_line(value)}")

    def setvar_multi(self, uuid: str, values: Mapping[str, str]) -> None:
        """Set several variables in one command."""
        self._order("uuid_setvar_multi", uuid, command.setvar_list(values))

    def sched_transfer(self, uuid: str, seconds: int, destination: str, context: str) -> None:
        """Send the channel to an extension after `seconds`; adds a timer, never replaces one. `sched_del` stops all of them."""
        place = f"{command.identifier(destination)} XML {command.identifier(context)}"
        self._api("sched_transfer", uuid, f"sched_transfer +{seconds:d} {command.identifier(uuid)} {place}")

    def broadcast(self, uuid: str, sound: str, legs: Literal["aleg", "bleg", "both", "holdb"] = "aleg") -> None:
        """Play into a channel, talking or not, without waiting for its turn."""
        self._order("uuid_broadcast", uuid, f"{command.api_word(sound)} {legs}")

    def send_dtmf(self, uuid: str, digits: str) -> None:
        """Send digits (0–9, A–D, *, #; w and W pause) to the party."""
        self._order("uuid_send_dtmf", uuid, command.digits(digits))

    def record_start(self, uuid: str, path: str, limit_seconds: int = 0) -> None:
        """Record the channel (both directions) into a file; 0 = no limit."""
        self._order("uuid_record", uuid, f"start {command.api_word(path)}{f' {limit_seconds:d}' if limit_seconds else ''}")

    def record_stop(self, uuid: str, path: str) -> None:
        self._order("uuid_record", uuid, f"stop {command.api_word(path)}")

    def record_mask(self, uuid: str, path: str) -> None:
        """Silence in the recording from here (card numbers)."""
        self._order("uuid_record", uuid, f"mask {command.api_word(path)}")

    def record_unmask(self, uuid: str, path: str) -> None:
        self._order("uuid_record", uuid, f"unmask {command.api_word(path)}")

    def hold(self, uuid: str, on: bool = True) -> None:
        """Put the phone on hold by re-INVITE, or take it back."""
        self._api("uuid_hold", uuid, f"uuid_hold {'' if on else 'off '}{command.identifier(uuid)}")

    # -- applications: each runs when the one before has ended -------------------------------------------------------

    def execute(self, uuid: str, application: str, argument: str = "", *, lock: bool = True, loops: int = 1) -> str:
        """Run an application; the id returned is `event.execution` of its CHANNEL_EXECUTE_COMPLETE. `${}` is expanded."""
        run = str(uuid4())
        self._send(application, uuid, command.execute(uuid, application, argument, event_uuid=run, lock=lock, loops=loops))
        return run

    def playback(self, uuid: str, *sounds: str, loop: bool = False) -> str:
        """Play sounds (paths or `tone_stream://…`) one after the other without a gap; returns the application's id."""
        return self.execute(uuid, "endless_playback" if loop else "playback", command.playlist(sounds))

    def record(self, uuid: str, path: str, *, limit_seconds: int = 0, silence_seconds: int = 0, silence_threshold: int = 200) -> str:
        """Record the party until a terminator key, `limit_seconds` or `silence_seconds` of silence (0: no limit)."""
        argument = command.literal(path)
        if limit_seconds or silence_seconds:
            argument += f" {limit_seconds:d}"
        if silence_seconds:
            argument += f" {silence_threshold:d} {silence_seconds:d}"
        return self.execute(uuid, "record", argument)

    # -- orders to the switch -------------------------------------------------------------------------------------------

    def originate(self, uuid: str, dial_string: str, values: Mapping[str, str], application: str = "&park") -> None:
        """Call out; the new channel has this uuid. Failure comes to `on_refused` with the cause (`-ERR USER_BUSY`).

        Not sent when the switch is away. Limit the ringing by the `originate_timeout` variable.
        """
        line = command.originate(dial_string, {"origination_uuid": uuid, **values}, application)
        self.connection.start_job(line, lambda text: self._answered("originate", uuid, text))

    def hupall(self, cause: str, variable: str = "", value: str = "") -> None:
        """Hang up every channel, or those whose variable has this value."""
        rest = f" {command.identifier(variable)} {command.api_word(value)}" if variable else ""
        self._api("hupall", "", f"hupall {command.identifier(cause)}{rest}")

    def gateway_rescan(self, profile: str) -> None:
        """Read new gateways of a profile; changed or removed ones need `gateway_kill` first."""
        self._api("rescan", "", f"sofia profile {command.identifier(profile)} rescan")

    def gateway_kill(self, profile: str, gateway: str) -> None:
        self._api("killgw", "", f"sofia profile {command.identifier(profile)} killgw {command.identifier(gateway)}")

    def flush_registration(self, profile: str, user: str) -> None:
        """Forget the phones of `user@domain`."""
        self._api("flush_inbound_reg", "", f"sofia profile {command.identifier(profile)} flush_inbound_reg {command.identifier(user)}")

    def xml_flush_cache(self, user: str = "", domain: str = "") -> None:
        """Forget cached directory answers of one user, or all."""
        rest = f" id {command.identifier(user)} {command.identifier(domain)}" if user else ""
        self._api("xml_flush_cache", "", f"xml_flush_cache{rest}")

    # -- queries ----------------------------------------------------------------------------------------------------------

    async def ask(self, line: str, within: float = 5.0) -> str:
        """Any api command. Raises SwitchAwayError, CommandRefusedError, TimeoutError."""
        return await self.connection.ask(command.api(line), within)

    async def sched_del(self, uuid: str) -> int:
        """Delete the timers of a channel: how many there were. 1 on a fresh call means: this engine has won it."""
        answer = await self.ask(f"sched_del {command.identifier(uuid)}")
        number = answer.rpartition(":")[2].strip()
        return int(number) if number.isdigit() else 0

    def claim(self, uuid: str, reply: Callable[[int], None]) -> None:
        """`sched_del` for event handlers: `reply` gets the number, -1 when there was no answer."""

        def answered(text: str) -> None:
            number = text.rpartition(":")[2].strip()
            reply(int(number) if text.startswith("+OK") and number.isdigit() else -1)

        self.connection.send(command.api(f"sched_del {command.identifier(uuid)}"), answered)

    async def show_channels(self) -> list[Row]:
        """Every channel of the switch, one row each."""
        return rows(await self.ask("show channels as json", 15.0))

    async def show_registrations(self) -> list[Row]:
        """Every registered phone, one row each."""
        return rows(await self.ask("show registrations as json", 15.0))

    async def dump(self, uuid: str) -> Event | None:
        """A channel as an event with all its variables; None when there is no such channel."""
        answer = await self.connection.ask_raw(command.api(f"uuid_dump {command.identifier(uuid)} json"))
        return None if answer.startswith("-ERR") else _dumped(answer)

    async def exists(self, uuid: str) -> bool:
        return (await self.ask(f"uuid_exists {command.identifier(uuid)}")).strip() == "true"

    async def getvar(self, uuid: str, name: str) -> str:
        """A channel variable, "" when unset."""
        answer = await self.ask(f"uuid_getvar {command.identifier(uuid)} {command.identifier(name)}")
        return "" if answer == "_undef_" else answer

    async def gateway_status(self) -> str:
        """`sofia xmlstatus gateway`: the XML text."""
        return await self.ask("sofia xmlstatus gateway")

    async def status(self) -> str:
        return await self.ask("status")

    # -- inside -----------------------------------------------------------------------------------------------------------

    def _order(self, name: str, uuid: str, rest: str = "") -> None:
        self._api(name, uuid, f"{name} {command.identifier(uuid)}{' ' + rest if rest else ''}")

    def _api(self, name: str, uuid: str, line: str) -> None:
        self._send(name, uuid, command.api(line))

    def _send(self, name: str, uuid: str, data: bytes) -> None:
        self.connection.send(data, lambda text: self._answered(name, uuid, text))

    def _answered(self, name: str, uuid: str, text: str) -> None:
        if not text.startswith("-"):
            return
        call = self._call_of(uuid)
        log.warning("%s of %s refused: %s", name, uuid or "the switch", text.strip(), extra={"call": call or "-"})
        self.on_refused(Refusal(name, uuid, text.strip(), call))


class _Table(msgspec.Struct):
    rows: list[dict[str, str | None]] = []


def rows(answer: str) -> list[Row]:
    """The rows of a `show … as json` answer; raises SwitchError when it is none."""
    try:
        table = msgspec.json.decode(answer, type=_Table, strict=False)
    except msgspec.DecodeError as error:
        raise SwitchError(f"the switch's table is not understood: {error}") from error
    return [{name: value or "" for name, value in row.items()} for row in table.rows]


def _dumped(answer: str) -> Event:
    """The event in a `uuid_dump … json` answer; raises SwitchError when it is none."""
    try:
        return decode(answer.encode())
    except msgspec.DecodeError as error:
        raise SwitchError(f"the switch's answer is not understood: {error}") from error
