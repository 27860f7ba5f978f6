# SPDX-License-Identifier: Apache-2.0
"""The switch: its channels and everything they share; made and run by `engine.embedded.process`."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Coroutine
from typing import Any
from uuid import uuid4

import msgspec

from engine.embedded import bridge, cdr, dialplan, recordings, text, transfers
from engine.embedded.applications import APPLICATIONS, control
from engine.embedded.backend import EventSocketBackend
from engine.embedded.channel import Channel
from engine.embedded.config import Config, fixed
from engine.embedded.dial import Destination
from engine.embedded.directory import Acl, DirectoryAwayError, DirectoryClient
from engine.embedded.event_socket.server import EventSocketServer
from engine.embedded.events import Bus
from engine.embedded.gateways import Gateways
from engine.embedded.incoming import Incoming
from engine.embedded.leg import Leg
from engine.embedded.profile import duration
from engine.embedded.record import State
from engine.embedded.rtp import MediaEngine
from engine.embedded.scheduler import Scheduler
from engine.embedded.sip.agent import Agent
from engine.embedded.sip.bindings import Binding, JournalStore
from engine.embedded.sip.call import SipCall
from engine.embedded.sip.contract import InviteTarget, Listener
from engine.embedded.sip.transfer import Refer

log = logging.getLogger(__name__)

VERSION = "1.10.12"
_GOODBYE_SECONDS = 3.0
_RETRY_SECONDS = (0.2, 0.5, 1.0, 2.0)


class Switch:
    """Made inside a running loop; `start` opens the sockets, `stop` ends every call and closes them."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.loop = asyncio.get_running_loop()
        self.bus = Bus(config.switchname)
        self.started = time.time()
        self.channels: dict[str, Channel] = {}
        self.scheduler = Scheduler()
        self.directory = DirectoryClient(config.directory)
        self.gateways = Gateways(self)
        self.applications = APPLICATIONS
        self.acls: dict[str, Acl] = {}
        self.joining: dict[str, str] = {}
        """uuid_bridge ordered: leading channel → the one that follows."""
        self.replacing: dict[str, str] = {}
        """New channel of an INVITE with Replaces → the channel it replaces."""
        self.stopping = False
        self.stopped = asyncio.Event()
        self.stop_asked = asyncio.Event()
        self.configured = asyncio.Event()
        """Trunks and access lists have been read."""
        self.sessions = 0
        self.peak = 0
        self.ports: dict[str, int] = {}
        self.globals = {
            "hostname": self.bus.hostname,
            "core_uuid": self.bus.core_uuid,
            "switchname": config.switchname,
            "sounds_dir": config.sounds_dir,
            "hold_music": config.hold_music,
            "local_ip_v4": "127.0.0.1",
        }
        self._tasks: set[asyncio.Task[Any]] = set()
        ports = range(config.rtp_first_port, config.rtp_last_port + 1) if config.rtp_last_port else None
        self.media = MediaEngine(ports=ports, local_streams=config.streams, sounds_dir=config.sounds_dir)
        config.state.mkdir(parents=True, exist_ok=True)
        self.cdr = cdr.CdrFile(config.cdr_directory, config.cdr.template)
        self.agent = Agent(Incoming(self), user_agent="VATS", store=JournalStore(config.state / "registrations"), between=self.media.poll)
        self.backend = EventSocketBackend(self)
        self.event_socket = EventSocketServer(self.backend)

    # -- life --------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Raises OSError when a socket can't be had."""
        self.media.start()
        for name, place in (("internal", self.config.internal), ("trunk", self.config.trunk)):
            listener = Listener(name, place.host, place.port, place.udp, place.tcp, place.advertised or None, silence=place.silence_seconds)
            self.ports[name] = await self.agent.listen(listener)
        socket_place = self.config.event_socket
        await self.event_socket.start(socket_place.host, socket_place.port)
        self.ports["event_socket"] = self.event_socket.port
        self.start_task(self._heartbeats())
        if self.config.directory.url:
            self.start_task(self._first_configuration())
        log.info("switch %s ready: %s", self.bus.core_uuid, self.ports)

    def reconfigure(self, config: Config) -> None:
        """Take a new configuration while calls go on; what can't change (config.FIXED) stays as it is."""
        self.config = msgspec.structs.replace(config, **fixed(self.config))
        self.globals["hold_music"] = config.hold_music
        self.start_task(self.directory.reconfigure(config.directory))

    async def stop(self) -> None:
        """Hang up every call, say goodbye to the trunks, close. Harmless when repeated."""
        if self.stopping:
            await self.stopped.wait()
            return
        self.stopping = True
        log.info("stopping with %d channels", len(self.channels))
        ending = list(self.channels.values())
        for channel in ending:
            channel.hangup("SYSTEM_SHUTDOWN")
        if ending:
            await asyncio.wait([channel.ended for channel in ending], timeout=_GOODBYE_SECONDS)
            # the phones' answers to our BYEs, and repeats of lost ones
            await asyncio.sleep(0.1)
        self.gateways.stop()
        self.bus.fire("SHUTDOWN", {"Event-Info": "System Shutting Down"})
        await asyncio.sleep(0)
        await self.event_socket.close()
        self.scheduler.close()
        for task in list(self._tasks):
            if task is not asyncio.current_task():
                task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.agent.close()
        await self.media.close()
        await self.directory.close()
        self.cdr.close()
        self.stopped.set()

    def start_task(self, work: Coroutine[Any, Any, None]) -> None:
        """Run beside everything else; an exception in it is an error of the program and is logged."""
        task = self.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._task_done)

    def _task_done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a task of the switch failed", exc_info=error)

    async def _heartbeats(self) -> None:
        while True:
            await asyncio.sleep(self.config.event_socket.heartbeat_seconds)
            up = time.time() - self.started
            self.bus.fire(
                "HEARTBEAT",
                {
                    "Event-Info": "System Ready",
                    "Up-Time": duration(up),
                    "FreeSWITCH-Version": VERSION,
                    "Uptime-msec": str(int(up * 1000)),
                    "Session-Count": str(len(self.channels)),
                    "Max-Sessions": str(self.config.max_sessions),
                    "Session-Per-Sec": "0",
                    "Session-Since-Startup": str(self.sessions),
                    "Session-Peak-Max": str(self.peak),
                    "Idle-CPU": "0.000000",
                },
            )

    async def _first_configuration(self) -> None:
        """Trunks and access lists; the engine may start after us, so ask until it answers."""
        waits = iter(_RETRY_SECONDS)
        while True:
            if await self.gateways.rescan("trunk") and await self.reload_acl():
                self.configured.set()
                return
            await asyncio.sleep(next(waits, 5.0))

    async def reload_acl(self) -> bool:
        try:
            self.acls = await self.directory.acls()
        except DirectoryAwayError as error:
            log.warning("the access lists can't be read: %s", error)
            return False
        return True

    def trunk_admits(self, address: str) -> bool:
        """The access list `trunks`; without a directory everybody is let in and the engine alone decides."""
        if not self.config.directory.url:
            return True
        acl = self.acls.get("trunks")
        return acl is not None and acl.admits(address)

    # -- channels ----------------------------------------------------------------------------------------------------

    def new_uuid(self) -> str:
        return str(uuid4())

    def next_session(self) -> int:
        self.sessions += 1
        return self.sessions

    def add(self, channel: Channel) -> None:
        self.channels[channel.uuid] = channel
        self.peak = max(self.peak, len(self.channels))

    def finish(self, channel: Channel) -> None:
        """The last act of a channel: times, its line in the leg file, the last events."""
        cdr.set_times(channel)
        self.scheduler.delete(channel.uuid)
        bridge.abandon(self, channel.uuid)
        self.replacing.pop(channel.uuid, None)
        if not channel.answered:
            self._count_failure(channel)
        self.cdr.write(channel)
        channel.fire("CHANNEL_HANGUP_COMPLETE")
        channel.state = channel.running_state = State.REPORTING
        channel.fire("CHANNEL_STATE")
        channel.state = channel.running_state = State.DESTROY
        self.channels.pop(channel.uuid, None)
        channel.fire("CHANNEL_STATE")
        channel.fire("CHANNEL_DESTROY")
        if channel.leg is not None:  # circles would wait for the garbage collector, and calls for it
            channel.leg.call = None
            channel.leg = None

    def redirected(self, channel: Channel) -> None:
        """A channel leaves what it did: the one it should have been joined with must not wait for it."""
        if channel.state is not State.SOFT_EXECUTE:
            bridge.abandon(self, channel.uuid)

    def _count_failure(self, channel: Channel) -> None:
        for name, kind in (("sip_gateway_name", "failed_out"), ("sip_gateway", "failed_in")):
            if gateway := self.gateways.get(channel.get(name) or ""):
                gateway.calls[kind] += 1

    async def run_state(self, channel: Channel, state: State) -> None:
        """What a channel does in a state; returns when that is over or the channel is sent elsewhere."""
        match state:
            case State.INIT | State.ROUTING:
                self._route(channel)
            case State.EXECUTE:
                await channel.execute_extension()
            case State.PARK:
                await control.park(channel, "")
            case State.SOFT_EXECUTE:
                await bridge.join(channel)
            case State.EXCHANGE_MEDIA:
                await bridge.follow(channel)
            case _:
                channel.changed()
                await channel.wait(_never, nested=False)

    def _route(self, channel: Channel) -> None:
        channel.hit_dialplan = True
        applications = dialplan.route(channel, self.config)
        profile = channel.profile
        if not applications:
            log.info("%s: no route to %s in %s", channel.name, profile.destination_number, profile.context)
            channel.hangup("NO_ROUTE_DESTINATION")
            return
        channel.extension = deque(applications)
        channel.state = State.EXECUTE

    def channel_of(self, call: SipCall | None) -> Channel | None:
        events = call.events if call is not None else None
        return events.channel if isinstance(events, Leg) else None

    def transfer(self, channel: Channel, extension: str, dialplan: str = "", context: str = "") -> None:
        transfers.to_extension(channel, extension, dialplan, context)

    def refer(self, channel: Channel, refer: Refer) -> None:
        transfers.referred(channel, refer)

    def take_over(self, channel: Channel, replaced: Channel) -> None:
        transfers.take_over(channel, replaced)

    def sched_transfer(self, uuid: str, seconds: float, extension: str, dialplan: str, context: str) -> int:
        def due() -> None:
            if (channel := self.channels.get(uuid)) is not None:
                self.transfer(channel, extension, dialplan, context)

        return self.scheduler.add(seconds, "sched_transfer", uuid, due)

    def sched_hangup(self, uuid: str, seconds: float, cause: str) -> int:
        def due() -> None:
            if (channel := self.channels.get(uuid)) is not None:
                channel.hangup(cause)

        return self.scheduler.add(seconds, "sched_hangup", uuid, due)

    def send_dtmf(self, channel: Channel, data: str) -> bool:
        """`digits[@milliseconds]` to the party; False when they can't be sent."""
        digits, _, duration = data.partition("@")
        if channel.media.stream is None or not digits or not set(digits) <= set("0123456789*#ABCDabcdwW"):
            return False
        channel.media.stream.send_dtmf(digits, min(8000, text.number(duration, 100) or 100))
        return True

    def record_when_ready(self, channel: Channel, path: str, limit: int = 0) -> bool:
        """record_session: RECORD_ANSWER_REQ and RECORD_BRIDGE_REQ put the start off."""
        answer, bridged = channel.is_true("RECORD_ANSWER_REQ"), channel.is_true("RECORD_BRIDGE_REQ")

        def ready() -> bool:
            return (channel.answered or not answer) and (channel.bridge is not None or not bridged)

        def look() -> None:
            if channel.is_down() or ready():
                channel.observers.remove(look)
                recordings.start(channel, path, limit=limit or None)

        if ready():
            return recordings.start(channel, path, limit=limit or None)
        channel.observers.append(look)
        return True

    # -- places ------------------------------------------------------------------------------------------------------

    def _bind_host(self, profile: str) -> str:
        return self.config.trunk.host if profile == "trunk" else self.config.internal.host

    def addresses_of(self, call: SipCall) -> tuple[str, str]:
        """(address to receive RTP on, address to show this peer)."""
        return self._bind_host(call.listener), call.local_address

    def addresses_towards(self, target: Destination) -> tuple[str, str]:
        invite = InviteTarget(listener=target.profile, uri=target.uri, from_user="", hop=target.hop, flow=target.flow)
        return self._bind_host(target.profile), self.agent.target_address(invite)

    def media_variables(self, channel: Channel) -> None:
        media = channel.media
        if media.stream is None or media.remote is None:
            return
        codec = media.remote.codec.name
        for name, value in {
            "local_media_ip": media.shown,
            "local_media_port": str(media.stream.local_port),
            "advertised_media_ip": media.shown,
            "remote_media_ip": media.remote.address,
            "remote_media_port": str(media.remote.port),
            "rtp_use_codec_name": codec,
            "rtp_use_codec_rate": "8000",
            "rtp_use_codec_ptime": "20",
            "rtp_use_pt": str(media.remote.codec.payload_type),
            "read_codec": codec,
            "read_rate": "8000",
            "write_codec": codec,
            "write_rate": "8000",
        }.items():
            channel.set(name, value)

    def bindings(self, user: str, domain: str) -> list[Binding]:
        return self.agent.bindings(f"{user}@{domain}")


def _never() -> bool:
    return False
