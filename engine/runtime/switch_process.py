# SPDX-License-Identifier: Apache-2.0
"""The embedded switch as a process of its own: started, adopted when it is already running, started again when it dies."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec

from engine.directory import USERNAME
from engine.embedded import config as embedded
from engine.errors import SettingsError, SwitchError
from engine.esl.switch import Switch
from engine.runtime import ports
from engine.settings import Settings

log = logging.getLogger(__name__)

READY_WITHIN_SECONDS = 60.0
ANSWER_WITHIN_SECONDS = 3.0
RESTART_DELAYS_SECONDS = (0.2, 1.0, 3.0, 10.0)


LINE_SILENCE_SECONDS = 8.0
"""A provider answers an INVITE at once or is dead; the next line is waiting. As in deploy/freeswitch/sofia/trunk.xml."""
LEG_TEMPLATE = ",".join(
    f'"${{{name}}}"'
    for name in (
        "uuid", "vats_call", "vats_account", "vats_role", "direction", "start_uepoch", "progress_uepoch", "progress_media_uepoch",
        "answer_uepoch", "bridge_uepoch", "end_uepoch", "hangup_cause", "proto_specific_hangup_cause", "sip_hangup_disposition",
        "billmsec", "last_bridge_to",
    )
)  # fmt: skip
"""The columns of the leg file, the same as in deploy/freeswitch (read by engine.calls.leg_file)."""


class Ready(msgspec.Struct, frozen=True):
    """What a running switch has said of itself."""

    pid: int
    event_socket_port: int
    internal_port: int
    trunk_port: int


class SwitchProcess:
    """Supervises one embedded switch. It outlives the engine: `leave` lets it run, `stop` ends it."""

    def __init__(self, settings: Settings, directory_url: str, on_started: Callable[[Ready], None] = lambda ready: None) -> None:
        self._settings, self._directory_url, self._on_started = settings, directory_url, on_started
        self._folder = settings.state / "switch"
        self._process: asyncio.subprocess.Process | None = None
        self._watch: asyncio.Task[None] | None = None
        self.ready: Ready | None = None
        self.restarts = 0

    @property
    def _config_file(self) -> Path:
        return self._folder / "switch.json"

    @property
    def _ready_file(self) -> Path:
        return self._folder / "ready.json"

    async def start(self) -> Ready:
        """Adopt the running switch of this installation, or start one. Raises SwitchError."""
        self._folder.mkdir(parents=True, exist_ok=True)
        running = self.running()
        if running is not None and await self._adopt(running):
            log.info("adopted the running switch (process %d)", running.pid)
            self.ready = running
        else:
            self.ready = await self._spawn(running)
        self._watch = asyncio.create_task(self._supervise(), name="switch supervisor")
        return self.ready

    def running(self) -> Ready | None:
        """The switch that an earlier engine has left running."""
        try:
            ready = _ready(self._ready_file.read_bytes())
            command = Path(f"/proc/{ready.pid}/cmdline").read_bytes()
        except (OSError, ValueError):
            return None
        return ready if b"engine.embedded" in command and str(self._folder).encode() in command else None

    async def _adopt(self, running: Ready) -> bool:
        """Whether the running switch goes on for us. It is told where our directory is and what else it can change as it runs.

        One with other ports, folders or passwords is ended, so that a new one may have them; while it carries calls only when
        we could not command it.
        """
        wanted = self._config(running)
        try:
            theirs = _standing(embedded.load(self._config_file), running)
        except embedded.ConfigError as error:
            log.warning("the running switch can't be told anything new: %s", error)
            theirs = wanted
            differs = ["configuration"]
        else:
            differs = [name for name in embedded.FIXED if getattr(theirs, name) != getattr(wanted, name)]
        if differs:
            calls = await self._calls(theirs, running)
            what = ", ".join(differs)
            if not calls or "event_socket" in differs:
                log.warning("the running switch has another %s; starting it again (%d channels end)", what, calls)
                await _end(running.pid)
                return False
            log.warning("the running switch has another %s; it keeps that until it is started again, since it carries calls", what)
        config = msgspec.structs.replace(wanted, **embedded.fixed(theirs))
        if config != theirs:
            self._write_config(config)
            _signal(running.pid, signal.SIGHUP)
        return True

    async def _calls(self, config: embedded.Config, running: Ready) -> int:
        """Channels of a running switch; 0 when it can't be asked, since then nobody can serve them."""
        place = config.event_socket
        switch = Switch(place.host, running.event_socket_port, place.password, on_event=lambda event: None)
        switch.start()
        try:
            await switch.wait_connected(ANSWER_WITHIN_SECONDS)
            return len(await switch.show_channels())
        except SwitchError as error:
            log.warning("the running switch does not answer: %s", error)
            return 0
        finally:
            await switch.close()

    async def _spawn(self, before: Ready | None) -> Ready:
        """A new one; where `before` stood, unless the settings name other ports."""
        self._ready_file.unlink(missing_ok=True)
        path = self._config_file
        self._write_config(self._config(before))
        output = os.open(self._folder / "switch.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
        try:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "engine.embedded", "--config", str(path),
                stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output,
                start_new_session=True,  # a Ctrl-C meant for the engine must not reach the calls
                cwd=str(Path(__file__).parents[2]),
            )  # fmt: skip
        finally:
            os.close(output)
        for _ in range(int(READY_WITHIN_SECONDS / 0.05)):
            if self._process.returncode is not None:
                taken = [found for place in ports.switch_places(self._settings) if (found := ports.trouble(place))]
                raise SwitchError(" ".join(taken) or f"The built-in switch did not start: {self._last_words()}")
            if self._ready_file.exists():
                with contextlib.suppress(ValueError):  # half written
                    return _ready(self._ready_file.read_bytes())
            await asyncio.sleep(0.05)
        self._process.kill()
        raise SwitchError(f"The built-in switch is not ready after {READY_WITHIN_SECONDS:.0f} s: {self._last_words()}")

    def _write_config(self, config: embedded.Config) -> None:
        with open(os.open(self._config_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(config)))

    def _last_words(self) -> str:
        try:
            return (self._folder / "switch.log").read_text("utf-8", "replace").strip().splitlines()[-1]
        except (OSError, IndexError):
            return "it said nothing"

    def _config(self, before: Ready | None) -> embedded.Config:
        settings = self._settings
        switch = settings.switch
        sounds = settings.media_root_on_switch
        # any free port means the former one after a restart: phones and trunks know it
        return embedded.Config(
            event_socket=embedded.EventSocket(
                switch.esl_password, switch.esl_host, switch.esl_port or (before.event_socket_port if before else 0)
            ),
            internal=embedded.Listener(
                switch.sip_host, switch.sip_port or (before.internal_port if before else 0), advertised=switch.advertised_host
            ),
            trunk=embedded.Listener(
                switch.sip_host, switch.trunk_port or (before.trunk_port if before else 0), advertised=switch.advertised_host,
                silence_seconds=LINE_SILENCE_SECONDS,
            ),
            directory=embedded.Directory(self._directory_url, f"{USERNAME}:{settings.directory.secret}"),
            cdr=embedded.Cdr(f"{sounds}/cdr-csv", LEG_TEMPLATE),
            dialplan=embedded.Dialplan(unavailable=f"{sounds}/prompts/unavailable.wav"),
            sounds_dir=sounds,
            state_dir=str(self._folder),
            rtp_first_port=switch.rtp_first_port,
            rtp_last_port=switch.rtp_last_port,
            rtp_timeout_seconds=switch.rtp_timeout_seconds,
            rtp_hold_timeout_seconds=switch.rtp_hold_timeout_seconds,
            log_level=settings.core.log_level,
            log_format=settings.core.log_format,
            ready_file=str(self._ready_file),
        )

    async def _supervise(self) -> None:
        while True:
            await self._gone()
            delay = RESTART_DELAYS_SECONDS[min(self.restarts, len(RESTART_DELAYS_SECONDS) - 1)]
            self.restarts += 1
            log.error("the switch has died (%s); starting it again in %.1f s", self._last_words(), delay)
            await asyncio.sleep(delay)
            try:
                self.ready = await self._spawn(self.ready)
            except (SwitchError, OSError) as error:
                log.error("the switch could not be started again: %s", error)
                continue
            self._on_started(self.ready)

    async def _gone(self) -> None:
        if self._process is not None:
            await self._process.wait()
            return
        while self.ready is not None and _alive(self.ready.pid):  # noqa: ASYNC110 — adopted, not our child: it can only be asked for
            await asyncio.sleep(0.2)

    async def leave(self) -> None:
        """Stop watching; the switch and its calls go on."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
            self._watch = None

    async def stop(self) -> None:
        """End the switch and every call on it."""
        await self.leave()
        if self.ready is None or not _alive(self.ready.pid):
            return
        await _end(self.ready.pid)
        self._ready_file.unlink(missing_ok=True)


def _standing(config: embedded.Config, ready: Ready) -> embedded.Config:
    """The configuration with the ports that were found for it."""
    place = msgspec.structs.replace
    return place(
        config,
        event_socket=place(config.event_socket, port=ready.event_socket_port),
        internal=place(config.internal, port=ready.internal_port),
        trunk=place(config.trunk, port=ready.trunk_port),
    )


async def _end(pid: int) -> None:
    """Ask the switch to end its calls and itself; after five seconds it is killed."""
    _signal(pid, signal.SIGTERM)
    for _ in range(100):
        if not _alive(pid):
            return
        await asyncio.sleep(0.05)
    log.warning("the switch (process %d) does not end by itself; killing it", pid)
    _signal(pid, signal.SIGKILL)


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):  # it has just died by itself
        os.kill(pid, number)


def _ready(text: bytes) -> Ready:
    said = json.loads(text)
    try:
        ports = said["ready"]
        return Ready(int(said["pid"]), int(ports["event_socket"]), int(ports["internal"]), int(ports["trunk"]))
    except (KeyError, TypeError) as error:
        raise ValueError(f"no ready line: {error}") from error


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False
    except PermissionError as error:
        raise SettingsError(f"Process {pid} belongs to somebody else: {error}.") from error
