# SPDX-License-Identifier: Apache-2.0
"""`show channels`, `show calls`, `show registrations`, `show tasks`: as text, CSV, JSON or XML, with FreeSWITCH's columns."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

import msgspec

from engine.embedded.channel import Channel

if TYPE_CHECKING:
    from engine.embedded.switch import Switch

Row = dict[str, str]


def channel_row(channel: Channel) -> Row:
    profile = channel.profile
    codec = channel.media.remote.codec.name if channel.media.remote is not None else ""
    rate, bits = ("8000", "64000") if codec else ("", "")
    created = profile.times.created // 1_000_000
    call_uuid = channel.get("call_uuid") or channel.uuid
    return {
        "uuid": channel.uuid,
        "direction": channel.direction,
        "created": time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(created)),
        "created_epoch": str(created),
        "name": channel.name,
        "state": f"CS_{channel.running_state.name}",
        "cid_name": profile.caller_id_name,
        "cid_num": profile.caller_id_number,
        "ip_addr": profile.network_addr,
        "dest": profile.destination_number,
        "application": channel.application,
        "application_data": channel.application_data,
        "dialplan": profile.dialplan,
        "context": profile.context,
        "read_codec": codec,
        "read_rate": rate,
        "read_bit_rate": bits,
        "write_codec": codec,
        "write_rate": rate,
        "write_bit_rate": bits,
        "secure": "",
        "hostname": channel.switch.config.switchname,
        "presence_id": channel.get("presence_id") or "",
        "presence_data": "",
        "accountcode": channel.get("accountcode") or "",
        "callstate": channel.callstate,
        "callee_name": profile.callee_id_name,
        "callee_num": profile.callee_id_number,
        "callee_direction": "",
        "call_uuid": call_uuid if call_uuid != channel.uuid or channel.bridge is not None else "",
        "sent_callee_name": "",
        "sent_callee_num": "",
        "initial_cid_name": profile.orig_caller_id_name,
        "initial_cid_num": profile.orig_caller_id_number,
        "initial_ip_addr": profile.network_addr,
        "initial_dest": channel.get("original_destination_number") or profile.destination_number,
        "initial_dialplan": "XML",
        "initial_context": profile.context,
    }


def _channels(switch: Switch) -> list[Row]:
    return [channel_row(channel) for channel in switch.channels.values()]


def _calls(switch: Switch, *, bridged: bool) -> list[Row]:
    """One row a call: the leading leg, and the other one in columns b_…"""
    rows = []
    for channel in switch.channels.values():
        bridge = channel.bridge
        if bridge is not None and bridge.a is not channel:
            continue
        if bridge is None and bridged:
            continue
        row = channel_row(channel)
        other = channel_row(bridge.b) if bridge is not None else dict.fromkeys(row, "")
        row |= {f"b_{name}": value for name, value in other.items()}
        row["call_created_epoch"] = row["created_epoch"]
        rows.append(row)
    return rows


def _registrations(switch: Switch) -> list[Row]:
    rows = []
    for binding in switch.agent.registrar.all():
        user, _, realm = binding.aor.partition("@")
        rows.append(
            {
                "reg_user": user,
                "realm": realm,
                "token": binding.call_id,
                "url": f"sofia/{binding.listener}/{binding.dial_uri}",
                "expires": str(int(binding.expires_at)),
                "network_ip": binding.source[0],
                "network_port": str(binding.source[1]),
                "network_proto": binding.transport,
                "hostname": switch.config.switchname,
                "metadata": "",
            }
        )
    return rows


def _tasks(switch: Switch) -> list[Row]:
    return [
        {
            "task_id": str(task.id),
            "task_desc": task.description,
            "task_group": task.group,
            "task_runtime": str(task.runtime),
            "task_sql_manager": "0",
            "hostname": switch.config.switchname,
        }
        for task in switch.scheduler.tasks()
    ]


def show(switch: Switch, arguments: str) -> str:
    words = arguments.split()
    kind = words.pop(0).lower() if words else ""
    match kind:
        case "channels":
            rows = _channels(switch)
        case "calls" | "detailed_calls":
            rows = _calls(switch, bridged=False)
        case "bridged_calls" | "detailed_bridged_calls":
            rows = _calls(switch, bridged=True)
        case "registrations":
            rows = _registrations(switch)
        case "tasks":
            rows = _tasks(switch)
        case _:
            return "-USAGE: channels [count|like <match string>]|calls|bridged_calls|registrations|tasks [as json|xml|csv]\n"
    if words[:1] == ["like"] and len(words) > 1:
        wanted = words[1].strip("%'")
        rows = [row for row in rows if any(wanted in value for value in row.values())]
        words = words[2:]
    counting = words[:1] == ["count"]
    form = words[words.index("as") + 1].lower() if "as" in words[:-1] else "csv"
    match form:
        case "json":
            if counting or not rows:
                return f'{{"row_count": {len(rows)}}}\n'
            return msgspec.json.encode({"row_count": len(rows), "rows": rows}).decode()
        case "xml":
            return _xml(rows)
        case "csv" | "delim":
            if counting:
                return f"\n{len(rows)} total.\n"
            return _csv(rows)
    return f"-ERR Cannot find format {form}\n"


def _csv(rows: list[Row]) -> str:
    lines = [",".join(rows[0])] if rows else []
    lines += [",".join(value.replace(",", ";") for value in row.values()) for row in rows]
    table = "".join(f"{line}\n" for line in lines)
    return f"{table}\n{len(rows)} total.\n"


def _xml(rows: list[Row]) -> str:
    body = "".join(
        f'<row row_id="{index}">{"".join(f"<{name}>{escape(value)}</{name}>" for name, value in row.items())}</row>'
        for index, row in enumerate(rows, 1)
    )
    return f'<result row_count="{len(rows)}">{body}</result>\n'


COMMANDS = {"show": show}
