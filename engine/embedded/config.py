# SPDX-License-Identifier: Apache-2.0
"""Configuration of the embedded switch's process: one JSON file, read by `python -m engine.embedded --config FILE`."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

Port = Annotated[int, Meta(ge=0, le=65535)]

# the columns of deploy/freeswitch, so that the engine reads one kind of leg file
CDR_TEMPLATE = (
    '"${uuid}","${vats_call}","${vats_account}","${vats_role}","${direction}","${start_uepoch}","${progress_uepoch}",'
    '"${progress_media_uepoch}","${answer_uepoch}","${bridge_uepoch}","${end_uepoch}","${hangup_cause}",'
    '"${proto_specific_hangup_cause}","${sip_hangup_disposition}","${billmsec}","${last_bridge_to}"'
)


FIXED = (
    "event_socket", "internal", "trunk", "cdr", "sounds_dir", "state_dir", "rtp_first_port", "rtp_last_port", "local_streams",
    "switchname", "ready_file",
)  # fmt: skip
"""What a running switch can't change: SIGHUP reads the file again and takes everything else from it."""


class ConfigError(ValueError):
    """The file can't be used; the message is one sentence for the operator."""


class Listener(Struct, frozen=True, forbid_unknown_fields=True):
    """One SIP profile: where it listens, UDP and TCP on one port."""

    host: str = "0.0.0.0"
    port: Port = 0
    udp: bool = True
    tcp: bool = True
    advertised: str = ""
    """Address told to peers outside the local networks; empty: the local address towards each peer."""
    silence_seconds: float = 0.0
    """A call that we make from here is given up after so long without any answer (FreeSWITCH's timer-T1X64); 0: after 32 s."""


class EventSocket(Struct, frozen=True, forbid_unknown_fields=True):
    password: str
    host: str = "127.0.0.1"
    port: Port = 8021
    acl: tuple[str, ...] = ("127.0.0.0/8", "::1/128")
    """Networks that may connect; others are told text/rude-rejection."""
    queue_bytes: int = 64 * 1024 * 1024
    """Bytes of events that may wait for one listener before it is dropped."""
    heartbeat_seconds: float = 20.0


class Directory(Struct, frozen=True, forbid_unknown_fields=True):
    url: str = ""
    """Asked as mod_xml_curl asks (HTTP POST to URL/directory and URL/configuration); empty: nobody is known, no trunks."""
    credentials: str = ""
    """`user:password` for HTTP basic authentication (gateway-credentials)."""
    headers: dict[str, str] = {}
    timeout_seconds: float = 3.0


class Cdr(Struct, frozen=True, forbid_unknown_fields=True):
    directory: str = ""
    """Where Master.csv is written; empty: `cdr-csv` in the state directory."""
    template: str = CDR_TEMPLATE


class Dialplan(Struct, frozen=True, forbid_unknown_fields=True):
    unclaimed_seconds: Annotated[int, Meta(ge=1)] = 10
    """How long a call waits for an engine before it hears `unavailable`."""
    unavailable: str = "prompts/unavailable.wav"
    """The phrase for callers whom no engine serves; a path or a name in the sounds directory."""


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    event_socket: EventSocket
    internal: Listener = Listener(port=5060)
    trunk: Listener = Listener(port=5080)
    directory: Directory = Directory()
    dialplan: Dialplan = Dialplan()
    cdr: Cdr = Cdr()
    sounds_dir: str = ""
    state_dir: str = "var/switch"
    rtp_first_port: Port = 20000
    rtp_last_port: Port = 24000
    """Both 0: any free ports."""
    hold_music: str = "local_stream://moh"
    local_streams: dict[str, str] = {}
    """Name of a local_stream:// and its folder of WAV files; `moh` defaults to `moh` in the sounds directory."""
    max_sessions: Annotated[int, Meta(ge=1)] = 1000
    switchname: str = "vats-embedded"
    rtp_timeout_seconds: Annotated[float, Meta(ge=0)] = 300
    """A leg in a talk from which no RTP comes for this long ends with MEDIA_TIMEOUT; 0: never."""
    rtp_hold_timeout_seconds: Annotated[float, Meta(ge=0)] = 1800
    """The same while one of the two holds."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["human", "json"] = "human"
    ready_file: str = ""
    """The `ready` line (JSON, the real ports) is written here as well as to standard output."""

    @property
    def state(self) -> Path:
        return Path(self.state_dir).absolute()

    @property
    def cdr_directory(self) -> Path:
        return Path(self.cdr.directory).absolute() if self.cdr.directory else self.state / "cdr-csv"

    @property
    def streams(self) -> dict[str, str]:
        streams = dict(self.local_streams)
        if self.sounds_dir:
            streams.setdefault("moh", str(Path(self.sounds_dir) / "moh"))
        return streams


def load(path: Path) -> Config:
    """Read and check the file. Raises ConfigError."""
    try:
        config = msgspec.json.decode(path.read_bytes(), type=Config)
    except OSError as error:
        raise ConfigError(f"The switch's configuration {path} can't be read: {error}.") from error
    except msgspec.DecodeError as error:
        raise ConfigError(f"The switch's configuration {path}: {error}.") from error
    check(config)
    return config


def fixed(config: Config) -> dict[str, object]:
    """The values of FIXED."""
    return {name: getattr(config, name) for name in FIXED}


def check(config: Config) -> None:
    """Raises ConfigError with the first thing that can't be."""
    for name, listener in (("internal", config.internal), ("trunk", config.trunk)):
        for field, value in (("host", listener.host), ("advertised", listener.advertised)):
            if value or field == "host":
                try:
                    ip_address(value)
                except ValueError:
                    raise ConfigError(f"{name}.{field} must be an IP address, not {value!r}.") from None
    for network in config.event_socket.acl:
        try:
            ip_network(network)
        except ValueError:
            raise ConfigError(f"event_socket.acl: {network!r} is no network.") from None
    if (config.rtp_first_port or config.rtp_last_port) and config.rtp_first_port + 10 > config.rtp_last_port:
        raise ConfigError("rtp_last_port must be at least 10 above rtp_first_port (or both 0).")
