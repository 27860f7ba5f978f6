# SPDX-License-Identifier: Apache-2.0
"""What the event socket benchmarks share: realistic events, the rival's own environment, processes that report as JSON."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import quote

ROOT = Path(__file__).resolve().parent.parent
GENESIS = "2026.10.18"
PASSWORD = "bench"
SDP = "v=0\r\no=- 3848 3848 IN IP4 198.51.100.7\r\ns=-\r\nc=IN IP4 198.51.100.7\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8 101\r\n"
NAMES = ("CHANNEL_PARK", "CHANNEL_ANSWER", "CHANNEL_EXECUTE_COMPLETE", "CHANNEL_BRIDGE", "CHANNEL_HANGUP_COMPLETE")


def uuid_of(number: int) -> str:
    return f"4f1c9e9e-7c1a-4c52-9d3f-{number:012d}"


def headers_of(name: str, uuid: str, sequence: int, **more: str) -> dict[str, str]:
    """60 headers as FreeSWITCH 1.10 sends them about a channel, about 2.4 kB."""
    return {
        "Event-Name": name, "Core-UUID": "6d2375b0-5183-11e1-b24c-f527b57af954", "FreeSWITCH-Hostname": "pbx1.example",
        "FreeSWITCH-Switchname": "pbx1", "FreeSWITCH-IPv4": "192.0.2.10", "FreeSWITCH-IPv6": "::1",
        "Event-Date-Local": "2026-11-22 21:34:35", "Event-Date-GMT": "Sun, 22 Nov 2026 21:34:35 GMT",
        "Event-Date-Timestamp": "1795383275218296", "Event-Calling-File": "switch_channel.c",
        "Event-Calling-Function": "switch_channel_perform_mark_answered", "Event-Calling-Line-Number": "3877",
        "Event-Sequence": str(sequence), "Channel-State": "CS_EXECUTE", "Channel-Call-State": "ACTIVE", "Channel-State-Number": "4",
        "Channel-Name": "sofia/internal/101@t1.example", "Unique-ID": uuid, "Call-Direction": "inbound",
        "Presence-Call-Direction": "inbound", "Channel-HIT-Dialplan": "true", "Channel-Presence-ID": "101@t1.example",
        "Channel-Call-UUID": uuid, "Answer-State": "answered", "Channel-Read-Codec-Name": "PCMA", "Channel-Read-Codec-Rate": "8000",
        "Channel-Read-Codec-Bit-Rate": "64000", "Channel-Write-Codec-Name": "PCMA", "Channel-Write-Codec-Rate": "8000",
        "Channel-Write-Codec-Bit-Rate": "64000", "Caller-Direction": "inbound", "Caller-Logical-Direction": "inbound",
        "Caller-Username": "101", "Caller-Dialplan": "XML", "Caller-Caller-ID-Name": "Иван Петров", "Caller-Caller-ID-Number": "101",
        "Caller-Orig-Caller-ID-Name": "Иван Петров", "Caller-Orig-Caller-ID-Number": "101", "Caller-Network-Addr": "198.51.100.7",
        "Caller-ANI": "101", "Caller-Destination-Number": "74957776655", "Caller-Unique-ID": uuid, "Caller-Source": "mod_sofia",
        "Caller-Context": "from-phone", "Caller-Channel-Name": "sofia/internal/101@t1.example", "Caller-Profile-Index": "1",
        "Caller-Profile-Created-Time": "1795383275218296", "Caller-Channel-Created-Time": "1795383275218296",
        "Caller-Channel-Answered-Time": "1795383276218296", "Caller-Channel-Progress-Time": "0", "Caller-Channel-Hangup-Time": "0",
        "Caller-Screen-Bit": "true", "Caller-Privacy-Hide-Name": "false",
        "variable_sip_via_host": "198.51.100.7", "variable_sip_contact_uri": "101@198.51.100.7:5060;transport=udp",
        "variable_switch_r_sdp": SDP,
        "variable_vats_call": uuid[:18], "variable_vats_account": "12", "variable_vats_role": "a", "variable_sip_call_id": f"{uuid}@phone",
        **more,
    }  # fmt: skip


def json_frame(headers: dict[str, str]) -> bytes:
    body = json.dumps(headers, ensure_ascii=False, separators=(",", ":")).encode()
    return f"Content-Length: {len(body)}\nContent-Type: text/event-json\n\n".encode() + body


def plain_frame(headers: dict[str, str]) -> bytes:
    body = "".join(f"{name}: {quote(value, safe='/:@;=., ()')}\n" for name, value in headers.items()).encode() + b"\n"
    return f"Content-Length: {len(body)}\nContent-Type: text/event-plain\n\n".encode() + body


def genesis_python() -> tuple[str, str]:
    """The interpreter of genesis's own environment, made at the first use; "" and the reason when it cannot be."""
    wanted = [sys.executable, *(shutil.which(f"python3.{minor}") or "" for minor in (12, 11, 10))]
    base = next((path for path in wanted if path and _fits(path)), "")
    if not base:
        return "", "no Python 3.10 to 3.12 found, which genesis needs"
    cache = Path(os.environ.get("XDG_CACHE_HOME") or tempfile.gettempdir()) / f"vats-bench-genesis-{GENESIS}"
    python = cache / "bin" / "python"
    ready = cache / "ready"
    if not ready.exists():
        subprocess.run([base, "-m", "venv", "--clear", str(cache)], check=True)
        made = subprocess.run(
            [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", f"genesis=={GENESIS}"], capture_output=True, text=True
        )
        if made.returncode:
            return "", f"genesis cannot be installed: {made.stderr.strip()[-300:]}"
        ready.touch()
    return str(python), ""


def _fits(python: str) -> bool:
    code = "import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 13))"
    return subprocess.run([python, "-c", code]).returncode == 0


@contextmanager
def switch_process() -> Iterator[int]:
    """The fake event socket server in a process of its own; gives its port."""
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.esl_feeder"], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()


def client(python: str, script: Sequence[str], timeout: float = 300) -> dict[str, Any]:
    """Run a client process; what it prints last is its result as JSON."""
    done = subprocess.run([python, *script], cwd=ROOT, capture_output=True, text=True, timeout=timeout)
    if done.returncode:
        raise RuntimeError(f"{' '.join(script)} failed:\n{done.stderr[-2000:]}")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def medians(results: Sequence[dict[str, Any]]) -> dict[str, float]:
    return {key: round(median(result[key] for result in results), 4) for key in results[0]}
