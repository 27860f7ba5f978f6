# SPDX-License-Identifier: Apache-2.0
"""Settings of one installation: defaults, then one TOML file, then environment variables; validated once at start.

A setting `switch.esl_port` is `[switch] esl_port = 8021` in the file and `VATS_SWITCH__ESL_PORT=8021` in the environment.
Every field carries its documentation; `docs/settings.md` is checked against it.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta, Struct

from engine.errors import SettingsError

Port = Annotated[int, Meta(ge=0, le=65535)]
Role = Literal["switch", "engine", "web", "bot", "jobs"]
ALL_ROLES: tuple[Role, ...] = get_args(Role)


class Core(Struct, frozen=True, forbid_unknown_fields=True):
    state: Annotated[str, Meta(description="Folder of everything this installation keeps: database, recordings, spool, secrets.")] = "var"
    log_level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], Meta(description="Least severity that is logged.")] = "INFO"
    log_format: Annotated[Literal["human", "json"], Meta(description="Log lines for people or for machines.")] = "human"
    default_account: Annotated[
        str, Meta(description="Number of the account that serves SIP requests to an unknown domain or the machine's own address (R27). Empty: none.")
    ] = ""
    secret: Annotated[str, Meta(description="Key that encrypts SIP passwords; made on first start and kept in the state folder when empty.")] = ""


class Database(Struct, frozen=True, forbid_unknown_fields=True):
    url: Annotated[
        str, Meta(description="sqlite:// (a file in the state folder; all roles in one process) or postgres://user:password@host:port/name.")
    ] = "sqlite://"


class Switch(Struct, frozen=True, forbid_unknown_fields=True):
    kind: Annotated[
        Literal["embedded", "freeswitch"], Meta(description="The built-in switch, started and supervised by `vats run`, or a FreeSWITCH that runs beside it.")
    ] = "embedded"
    esl_host: Annotated[str, Meta(description="Host of the event socket.")] = "127.0.0.1"
    esl_port: Annotated[Port, Meta(description="Port of the event socket (0 with the embedded switch: any free port).")] = 8021
    esl_password: Annotated[str, Meta(description="Password of the event socket; made on first start when empty and the switch is the embedded one.")] = ""
    sip_host: Annotated[str, Meta(description="Address the embedded switch listens on for SIP; 0.0.0.0 = all.")] = "0.0.0.0"
    sip_port: Annotated[Port, Meta(description="SIP port for phones, UDP and TCP.")] = 5060
    trunk_port: Annotated[Port, Meta(description="SIP port for provider trunks, UDP and TCP.")] = 5080
    public_host: Annotated[
        str, Meta(description="Name or address of this PBX as phones and providers reach it, told in the cabinet. Empty: the advertised address, else the one it listens on, else this machine's.")
    ] = ""
    advertised_host: Annotated[
        str, Meta(description="Address told to peers outside the local networks when the machine stands behind a NAT. Empty: the local address towards each peer.")
    ] = ""
    rtp_first_port: Annotated[Port, Meta(description="First UDP port for sound.")] = 20000
    rtp_last_port: Annotated[Port, Meta(description="Last UDP port for sound.")] = 24000
    rtp_timeout_seconds: Annotated[
        int, Meta(ge=0, description="A phone from which no sound comes for this long in a talk is gone, and the talk ends (0: never). Below a minute, phones that send nothing while muted are cut.")
    ] = 300
    rtp_hold_timeout_seconds: Annotated[int, Meta(ge=0, description="The same while the talk is on hold.")] = 1800
    unanswered_limit_seconds: Annotated[
        float, Meta(gt=0, description="An unanswered incoming call is answered after this time, since operators cut it at 60–120 s (R11).")
    ] = 50.0
    early_media: Annotated[bool, Meta(description="Music instead of ringback is sent before the answer (183); otherwise the call is answered first (R11).")] = True

    @property
    def takes_faxes(self) -> bool:
        """The embedded switch has no fax machine."""
        return self.kind == "freeswitch"


class Directory(Struct, frozen=True, forbid_unknown_fields=True):
    host: Annotated[str, Meta(description="Address where the switch asks for SIP accounts and trunks (mod_xml_curl).")] = "127.0.0.1"
    port: Annotated[Port, Meta(description="Its port (0: any free port, embedded switch only).")] = 8088
    secret: Annotated[str, Meta(description="Password the switch presents there; made on first start when empty and the switch is the embedded one.")] = ""
    allowed: Annotated[tuple[str, ...], Meta(description="Networks that may ask.")] = ("127.0.0.0/8", "::1/128")


class Media(Struct, frozen=True, forbid_unknown_fields=True):
    root: Annotated[str, Meta(description="Folder of recordings, prompts and voice files, shared with the switch. Empty: `media` in the state folder.")] = ""
    root_on_switch: Annotated[str, Meta(description="The same folder as the switch sees it; empty = the same path.")] = ""


class Web(Struct, frozen=True, forbid_unknown_fields=True):
    host: Annotated[str, Meta(description="Address of the cabinet.")] = "127.0.0.1"
    port: Annotated[Port, Meta(description="Port of the cabinet.")] = 8080
    public_url: Annotated[str, Meta(description="Address of the cabinet as people see it, for links in mails and messages. Empty: http://host:port.")] = ""
    trust_proxy: Annotated[bool, Meta(description="Take the visitor's address from X-Forwarded-For (only behind your own proxy).")] = False


class Bot(Struct, frozen=True, forbid_unknown_fields=True):
    token: Annotated[str, Meta(description="Telegram bot token from @BotFather. Empty: the bot is switched off.")] = ""
    api_url: Annotated[str, Meta(description="Base address of the Bot API.")] = "https://api.telegram.org"


class Mail(Struct, frozen=True, forbid_unknown_fields=True):
    host: Annotated[str, Meta(description="SMTP server. Empty: mail is written as .eml files into the state folder and shown in the cabinet.")] = ""
    port: Annotated[Port, Meta(description="SMTP port.")] = 25
    security: Annotated[Literal["none", "starttls", "tls"], Meta(description="How the SMTP connection is protected.")] = "none"
    username: Annotated[str, Meta(description="SMTP login; empty = none.")] = ""
    password: Annotated[str, Meta(description="SMTP password.")] = ""
    sender: Annotated[str, Meta(description="From address of all mail.")] = "vats@localhost"


class Speech(Struct, frozen=True, forbid_unknown_fields=True):
    model: Annotated[str, Meta(description="Folder of a Vosk model that writes down voice messages (needs `pip install 'vats[speech]'`). Empty: no transcripts.")] = ""


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    core: Core = Core()
    database: Database = Database()
    switch: Switch = Switch()
    directory: Directory = Directory()
    media: Media = Media()
    web: Web = Web()
    bot: Bot = Bot()
    mail: Mail = Mail()
    speech: Speech = Speech()
    plugins: Annotated[dict[str, dict[str, Any]], Meta(description="One table per plugin, read by the plugin itself.")] = {}

    @property
    def state(self) -> Path:
        return Path(self.core.state).absolute()

    @property
    def media_root(self) -> Path:
        return Path(self.media.root).absolute() if self.media.root else self.state / "media"

    @property
    def media_root_on_switch(self) -> str:
        return self.media.root_on_switch or str(self.media_root)

    @property
    def public_url(self) -> str:
        return self.web.public_url.rstrip("/") or f"http://{self.web.host}:{self.web.port}"


def load(path: Path | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """Read and validate the settings.

    `path` defaults to $VATS_CONFIG, then `vats.toml` in the current folder when it exists.
    Raises SettingsError with one sentence that names the setting.
    """
    env = os.environ if environ is None else environ
    if path is None:
        named = env.get("VATS_CONFIG")
        path = Path(named) if named else (Path("vats.toml") if Path("vats.toml").exists() else None)
    tree: dict[str, Any] = {}
    if path is not None:
        try:
            tree = tomllib.loads(path.read_text("utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"The settings file {path} can't be read: {error}.") from error
        except tomllib.TOMLDecodeError as error:
            raise SettingsError(f"The settings file {path} is not valid TOML: {error}.") from error
    for name, value in env.items():
        if name.startswith("VATS_") and "__" in name:
            section, _, field = name[5:].lower().partition("__")
            table = tree.setdefault(section, {})
            if section == "plugins":
                plugin, _, field = field.partition("__")
                table = table.setdefault(plugin, {})
            elif "," in value and _is_tuple(section, field):
                table[field] = [part.strip() for part in value.split(",")]
                continue
            elif _is_tuple(section, field):
                table[field] = [value] if value else []
                continue
            table[field] = value
    try:
        # strict=False lets "8021" and "true" from the environment become numbers and booleans
        settings = msgspec.convert(tree, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise SettingsError(f"Settings: {error}.") from error
    _check(settings)
    return settings


def _is_tuple(section: str, field: str) -> bool:
    kind = get_type_hints(Settings).get(section)
    if not isinstance(kind, type) or field not in getattr(kind, "__struct_fields__", ()):
        return False
    return get_origin(get_type_hints(kind)[field]) is tuple


def _check(settings: Settings) -> None:
    switch = settings.switch
    if switch.rtp_first_port + 100 > switch.rtp_last_port:
        raise SettingsError("Settings: switch.rtp_last_port must be at least 100 above switch.rtp_first_port.")
    if switch.advertised_host:
        try:
            ip_address(switch.advertised_host)
        except ValueError as error:
            raise SettingsError("Settings: switch.advertised_host must be an IP address.") from error
    if switch.kind == "freeswitch" and not (switch.esl_password and settings.directory.secret):
        raise SettingsError("Settings: a FreeSWITCH needs switch.esl_password and directory.secret, the same as in its own configuration.")
    if not settings.database.url.startswith(("sqlite://", "postgres://")):
        raise SettingsError("Settings: database.url must begin with sqlite:// or postgres://.")


def documented() -> Iterator[tuple[str, str, object, str]]:
    """(name, type, default, description) of every setting, in order; what docs/settings.md must list."""
    for section, kind in get_type_hints(Settings).items():
        if isinstance(kind, type) and issubclass(kind, Struct):
            yield from described(section, kind)


def described(section: str, kind: type[Struct]) -> Iterator[tuple[str, str, object, str]]:
    """The same of one table: a section of ours, or a plugin's own settings."""
    hints = get_type_hints(kind, include_extras=True)
    for field in msgspec.structs.fields(kind):
        hint = hints[field.name]
        metas = [m for m in getattr(hint, "__metadata__", ()) if isinstance(m, Meta)]
        text = next((m.description for m in metas if m.description), "")
        plain = get_args(hint)[0] if metas else hint
        yield f"{section}.{field.name}", _type_name(plain), field.default, text


def _type_name(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return " | ".join(str(a) for a in get_args(kind))
    return str(getattr(kind, "__name__", kind)) if get_origin(kind) is None else str(kind)
