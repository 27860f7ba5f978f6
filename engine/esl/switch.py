# SPDX-License-Identifier: Apache-2.0
"""The typed commands of one switch, as `engine.calls` gives them: orders return at once and never raise, queries are awaited.

An order that the switch refuses, that cannot be built or cannot be sent is logged with its call id and reported to
`on_refused`, later and never from inside the order.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from typing import ParamSpec
from uuid import UUID, uuid4

import msgspec

from engine.errors import SwitchError
from engine.esl import command
from engine.esl.command import CommandError, Legs
from engine.esl.connection import LOST, Connection
from engine.esl.event import Event, decode

log = logging.getLogger(__name__)

_GATEWAY_NAME, _GATEWAY_STATE = re.compile(r"<name>([^<]*)</name>"), re.compile(r"<state>([^<]*)</state>")
_CAUSE = re.compile(r"-ERR [A-Z][A-Z_]+")
"""How an originate ends that has rung in vain: with a hangup cause."""

EVENTS = (
    "CHANNEL_CREATE", "CHANNEL_PROGRESS", "CHANNEL_PROGRESS_MEDIA", "CHANNEL_ANSWER", "CHANNEL_BRIDGE", "CHANNEL_UNBRIDGE",
    "CHANNEL_PARK", "CHANNEL_HOLD", "CHANNEL_UNHOLD", "CHANNEL_HANGUP_COMPLETE", "CHANNEL_EXECUTE_COMPLETE",
    "DTMF", "RECORD_START", "RECORD_STOP", "BACKGROUND_JOB", "HEARTBEAT",
)  # fmt: skip
SUBCLASSES = (
    "sofia::register", "sofia::unregister", "sofia::expire", "sofia::register_failure",
    "sofia::gateway_state", "sofia::gateway_add", "sofia::gateway_delete",
    "sofia::transferor", "sofia::transferee", "sofia::replaced",
    "spandsp::rxfaxpageresult",
)  # fmt: skip

_FAX_RESULTS = ("fax_success", "fax_result_text", "fax_document_transferred_pages", "fax_remote_station_id")

P = ParamSpec("P")
Row = dict[str, str]


class Refusal(msgspec.Struct, frozen=True):
    """An order that was not carried out; `answer` is what the switch said (`-ERR …`)."""

    order: str
    uuid: str
    answer: str
    call: str = ""

    @property
    def lost(self) -> bool:
        """The connection was or went away: nobody knows whether it was carried out."""
        return self.answer == LOST

    @property
    def cause(self) -> str:
        """What follows -ERR: for an originate a hang-up cause such as USER_BUSY."""
        return self.answer.partition(" ")[2].strip()


class Switch:
    """Commands one switch over one connection, which it keeps up. `call_of(uuid)` names a channel's call for the log."""

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
            host, port, password,
            events=events, subclasses=subclasses, on_event=on_event, on_connected=on_connected, on_lost=on_lost,
        )  # fmt: skip

    def start(self) -> None:
        """Connect, and connect again whenever the connection is lost."""
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

    # -- orders on one channel ------------------------------------------------------------------------------------------

    def answer(self, uuid: str) -> None:
        """200 to the caller."""
        self._order(uuid, command.answer, uuid)

    def pre_answer(self, uuid: str) -> None:
        """183 to the caller: early media."""
        self._order(uuid, command.pre_answer, uuid)

    def ring_ready(self, uuid: str) -> None:
        """180 to the caller."""
        self._order(uuid, command.ring_ready, uuid)

    def respond(self, uuid: str, status: int) -> None:
        """End an unanswered call with this SIP status."""
        self.execute(uuid, "respond", str(status))

    def kill(self, uuid: str, cause: str = "NORMAL_CLEARING") -> None:
        """Hang up; `cause` is a Q.850 name as FreeSWITCH writes it."""
        self._order(uuid, command.kill, uuid, cause)

    def park(self, uuid: str) -> None:
        """Take the channel out of whatever it does; CHANNEL_PARK follows."""
        self._order(uuid, command.park, uuid)

    def bridge(self, one: str, other: str) -> None:
        """Join two channels. Both must have media (`pre_answer` an unanswered caller first), else both are lost."""
        self._order(one, command.bridge, one, other)

    def break_(self, uuid: str) -> None:
        """End the running application and drop those that wait behind it."""
        self._order(uuid, command.break_, uuid)

    def transfer(self, uuid: str, destination: str, context: str, *, both: bool = False) -> None:
        """Send the channel (`both`: its peer too) to an extension of the dialplan."""
        self._order(uuid, command.transfer, uuid, destination, context, both)

    def part(self, uuid: str) -> None:
        """End the talk of a channel without ending anybody's call: a CHANNEL_PARK of either follows."""
        self._order(uuid, command.part, uuid)

    def display(self, uuid: str, name: str, number: str) -> None:
        """Let the phone show this party, if it can."""
        self._order(uuid, command.display, uuid, name, number)

    def setvar(self, uuid: str, name: str, value: str) -> None:
        """Set a channel variable; "" unsets it."""
        self._order(uuid, command.setvar, uuid, name, value)

    def setvar_multi(self, uuid: str, values: Mapping[str, str]) -> None:
        """Set up to 64 variables in one command."""
        self._order(uuid, command.setvar_multi, uuid, values)

    def sched_transfer(self, uuid: str, seconds: int, destination: str, context: str) -> None:
        """Send the channel to an extension after `seconds`. Adds a timer, never replaces one; `sched_del` stops them all."""
        self._order(uuid, command.sched_transfer, uuid, seconds, destination, context)

    def broadcast(self, uuid: str, sound: str, legs: Legs = "aleg") -> None:
        """Play into a channel at once, talking or not."""
        self._order(uuid, command.broadcast, uuid, sound, legs)

    def send_dtmf(self, uuid: str, digits: str) -> None:
        """Send digits to the party: 0–9, A–D, *, #, pauses w and W."""
        self._order(uuid, command.send_dtmf, uuid, digits)

    def hold(self, uuid: str, on: bool = True) -> None:
        """Put the phone on hold by re-INVITE, or take it back."""
        self._order(uuid, command.hold, uuid, on)

    def record_start(self, uuid: str, file: str, limit_seconds: int = 0) -> None:
        """Record the talk of a channel, both directions, into a file; 0 = no limit."""
        self._order(uuid, command.record, uuid, "start", file, limit_seconds)

    def record_stop(self, uuid: str, file: str) -> None:
        self._order(uuid, command.record, uuid, "stop", file)

    def record_mask(self, uuid: str, file: str) -> None:
        """Silence in the recording from here on (a card number is being told)."""
        self._order(uuid, command.record, uuid, "mask", file)

    def record_unmask(self, uuid: str, file: str) -> None:
        self._order(uuid, command.record, uuid, "unmask", file)

    # -- applications: each runs when the one before it has ended ---------------------------------------------------------

    def execute(self, uuid: str, application: str, argument: str = "", *, lock: bool = True, loops: int = 1) -> str:
        """Run an application; the id returned is `event.execution` of its CHANNEL_EXECUTE_COMPLETE.

        The switch expands `${}` in the argument: for text of others use `command.literal`. With `loops` each round has
        its own CHANNEL_EXECUTE_COMPLETE under the same id.
        """
        run = str(uuid4())
        self._order(uuid, command.execute, uuid, application, argument, run=run, lock=lock, loops=loops)
        return run

    def playback(self, uuid: str, *sounds: str, loop: bool = False) -> str:
        """Play sounds (files, `tone_stream://…`) one after the other without a gap; returns the id, see `execute`.

        With `loop` they are played until `break_`, which the switch reports round by round. A list that is shorter than
        half a second is played once only (FreeSWITCH's own guard).
        """
        run = str(uuid4())
        self._order(uuid, self._playback, uuid, sounds, run, -1 if loop else 1)
        return run

    @staticmethod
    def _playback(uuid: str, sounds: Sequence[str], run: str, loops: int) -> bytes:
        return command.execute(uuid, "playback", command.playlist(sounds), run=run, loops=loops)

    def record(self, uuid: str, file: str, *, limit_seconds: int = 0, silence_seconds: int = 0, silence_threshold: int = 200) -> str:
        """Record the party until a terminator key, `limit_seconds`, or `silence_seconds` of silence; 0 = no limit.

        FreeSWITCH hangs up (DESTINATION_OUT_OF_ORDER) where the file's folder is missing, so it is made first.
        """
        run = str(uuid4())
        self._order(uuid, self._mkdir, uuid, file.rpartition("/")[0])
        self._order(uuid, self._record, uuid, file, run, limit_seconds, silence_seconds, silence_threshold)
        return run

    @staticmethod
    def _mkdir(uuid: str, folder: str) -> bytes:
        return command.execute(uuid, "mkdir", command.literal(command.one_line(folder)))

    @staticmethod
    def _record(uuid: str, file: str, run: str, limit_seconds: int, silence_seconds: int, silence_threshold: int) -> bytes:
        argument = command.record_argument(file, limit_seconds, silence_seconds, silence_threshold)
        return command.execute(uuid, "record", argument, run=run)

    def receive_fax(self, uuid: str, file: str) -> str:
        """Receive a fax into a TIFF, by T.38 where the other side can, else by G.711; returns the id, see `execute`.

        How it went stands in the channel's variables when the application is over.
        """
        for name in _FAX_RESULTS:  # those of an earlier fax
            self.setvar(uuid, name, "")
        self.setvar_multi(uuid, {"fax_enable_t38": "true", "fax_enable_t38_request": "true"})
        run = str(uuid4())
        self._order(uuid, self._mkdir, uuid, file.rpartition("/")[0])
        self._order(uuid, self._receive_fax, uuid, file, run)
        return run

    @staticmethod
    def _receive_fax(uuid: str, file: str, run: str) -> bytes:
        return command.execute(uuid, "rxfax", command.literal(command.one_line(file)), run=run)

    # -- orders to the switch ---------------------------------------------------------------------------------------------

    def originate(self, uuid: str, dial_string: str, values: Mapping[str, str], application: str = "park") -> None:
        """Call one destination; the new channel has this uuid, ringing is limited by the `originate_timeout` variable.

        An attempt that fails comes to `on_refused` with its cause, also when no channel ever was.
        """
        try:
            line = command.originate(dial_string, {"origination_uuid": uuid, **values}, application)
        except CommandError as error:
            self._impossible("originate", uuid, error)
            return
        self.connection.start_job(line, lambda text: self._answered("originate", uuid, text))

    def hupall(self, cause: str, variable: str = "", value: str = "") -> None:
        """Hang up every channel, or those whose variable has this value."""
        self._order("", command.hupall, cause, variable, value)

    def gateway_rescan(self, profile: str) -> None:
        """Read the new gateways of a profile; a changed or removed one needs `gateway_kill` first."""
        self._order("", command.gateway_rescan, profile)

    def gateway_kill(self, profile: str, gateway: str) -> None:
        """Drop a gateway; it takes about a second, then `gateway_rescan` may bring it back changed."""
        self._order("", command.gateway_kill, profile, gateway)

    def reload_acl(self) -> None:
        """Read the access lists again: a trunk's addresses have changed."""
        self._order("", command.reload_acl)

    def flush_registration(self, profile: str, user: str) -> None:
        """Forget the phones registered as `user@domain`."""
        self._order("", command.flush_registration, profile, user)

    def xml_flush_cache(self, user: str = "", domain: str = "") -> None:
        """Forget the cached directory answers of one user, or all."""
        self._order("", command.xml_flush_cache, user, domain)

    # -- queries: raise SwitchAwayError, CommandRefusedError, NoAnswerError ---------------------------------------------------

    async def ask(self, line: str, within: float = 5.0) -> str:
        """Any api command."""
        return await self.connection.ask(command.api(line), within)

    async def sched_del(self, uuid: str) -> int:
        """Stop the timers of a channel: how many there were. 1 on a fresh call means that this engine has won it."""
        return deleted(await self.connection.ask(command.sched_del(uuid)))

    def claim(self, uuid: str, reply: Callable[[int], None]) -> None:
        """`sched_del` for whoever wants to win a fresh call: `reply` gets how many timers there were, -1 without a usable answer."""
        try:
            data = command.sched_del(uuid)
        except CommandError as error:
            log.warning("no claim: %s", error)
            asyncio.get_running_loop().call_soon(reply, -1)
            return
        self.connection.send(data, lambda text: reply(deleted(text)))

    def stop_timers(self, uuid: str) -> None:
        """`sched_del` of a channel that is ours already; none may be there."""
        self.claim(uuid, lambda deleted: None)

    async def show_channels(self) -> list[Row]:
        """Every channel of the switch, one row each."""
        return rows(await self.ask("show channels as json", 15.0))

    async def show_registrations(self) -> list[Row]:
        """Every registered phone, one row each."""
        return rows(await self.ask("show registrations as json", 15.0))

    async def dump(self, uuid: str) -> Event | None:
        """A channel as an event with all its variables; None when there is no such channel."""
        answer = await self.connection.ask_raw(command.api(f"uuid_dump {command.word(uuid)} json"))
        if answer.startswith("-"):
            return None
        try:
            return decode(answer.encode())
        except msgspec.DecodeError as error:
            raise SwitchError(f"the switch's answer is not understood: {error}") from error

    async def exists(self, uuid: str) -> bool:
        return (await self.ask(f"uuid_exists {command.word(uuid)}")).strip() == "true"

    async def getvar(self, uuid: str, name: str) -> str:
        """A channel variable, "" when unset."""
        answer = await self.connection.ask(command.getvar(uuid, name))
        return "" if answer == "_undef_" else answer

    async def core_uuid(self) -> str:
        """The id of the switch's present run: another one after each restart."""
        answer = (await self.ask("global_getvar core_uuid")).strip()
        try:
            return str(UUID(answer))
        except ValueError as error:
            raise SwitchError(f"the switch's Core-UUID is not understood: {answer[:80]!r}") from error

    async def gateway_states(self) -> dict[str, str]:
        """How every gateway fares, by its name: REGED, TRYING, FAIL_WAIT, … ("" when the switch does not say)."""
        found = {}
        for gateway in (await self.ask("sofia xmlstatus gateway", 15.0)).split("<gateway>")[1:]:
            name, state = _GATEWAY_NAME.search(gateway), _GATEWAY_STATE.search(gateway)
            if name is not None:
                found[name[1]] = state[1] if state is not None else ""
        return found

    async def status(self) -> str:
        """The text of `status`: version, sessions, uptime."""
        return await self.ask("status")

    # -- inside -----------------------------------------------------------------------------------------------------------

    def _order(self, uuid: str, build: Callable[P, bytes], *args: P.args, **kwargs: P.kwargs) -> None:
        name = build.__name__.strip("_")
        try:
            data = build(*args, **kwargs)
        except CommandError as error:
            self._impossible(name, uuid, error)
            return
        self.connection.send(data, lambda text: self._answered(name, uuid, text))

    def _impossible(self, name: str, uuid: str, error: CommandError) -> None:
        asyncio.get_running_loop().call_soon(self._answered, name, uuid, f"-ERR {error}")

    def _answered(self, name: str, uuid: str, text: str) -> None:
        if not text.startswith("-"):
            return
        answer = text.strip()
        call = self._call_of(uuid) if uuid else ""
        # a leg that left at the same moment is no surprise (a dead-man timer is wound again for whoever is there), nor a phone that
        # was not answered: its call says so. Anything else refused is
        gone = {"kill": "No such channel", "sched_transfer": "No such channel", "record": "Cannot locate session"}
        usual = (name in gone and gone[name] in answer) or (name == "originate" and _CAUSE.fullmatch(answer))
        level = logging.DEBUG if usual else logging.WARNING
        log.log(level, "%s of %s refused: %s", name, uuid or "the switch", answer, extra={"call": call or "-"})
        self.on_refused(Refusal(name, uuid, answer, call))


class _Table(msgspec.Struct):
    rows: list[dict[str, str | int | float | None]] = []


def rows(answer: str) -> list[Row]:
    """The rows of a `show … as json` answer; an empty table has no `rows` at all. Raises SwitchError."""
    try:
        table = msgspec.json.decode(answer, type=_Table, strict=False)
    except msgspec.DecodeError as error:
        raise SwitchError(f"the switch's table is not understood: {error}") from error
    return [{name: "" if value is None else str(value) for name, value in row.items()} for row in table.rows]


def deleted(answer: str) -> int:
    """The number in an answer to sched_del, -1 when it is another answer."""
    number = answer.rpartition(":")[2].strip()
    return int(number) if answer.startswith("+OK") and number.isascii() and number.isdigit() else -1
