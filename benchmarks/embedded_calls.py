# SPDX-License-Identifier: Apache-2.0
"""The embedded switch under the real engine, called by sipp: prompts playing at once with their lateness, set-ups a second.

`python -m benchmarks.embedded_calls [--quick]`. The switch is pinned to one core; engine, callers and receiver share the rest.
Lateness is taken by a process of its own from kernel time stamps of the packets of 40 calls.
"""

import argparse
import csv
import gc
import json
import multiprocessing
import os
import re
import select
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from benchmarks.pbx_process import DID, PbxProcess
from benchmarks.rtp_pacing import SO_TIMESTAMPNS, drain, rtp_socket, summary

GOAL_CALLS = 800
GOAL_LATE_MS = 2.0
GOAL_SETUPS = 300
SAMPLES = 40
PATIENCE_SECONDS = 25.0
"""How long after the last call was begun all of them must be live."""
REALTIME = "what is measured gets real-time priority while it is measured (at most 20 s at a time), so that others do not count"
LONGEST_REALTIME_SECONDS = 20.0
realtime = False
SCENARIO = """<?xml version="1.0" encoding="UTF-8"?>
<scenario name="caller">
<send retrans="500" start_rtd="1"><![CDATA[
INVITE sip:[service]@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:79271234567@[local_ip]:[local_port]>;tag=[call_number]
To: <sip:[service]@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: 1 INVITE
Contact: <sip:sipp@[local_ip]:[local_port]>
Max-Forwards: 70
Content-Type: application/sdp
Content-Length: [len]

v=0
o=u 1 1 IN IP4 [local_ip]
s=-
c=IN IP4 [local_ip]
t=0 0
m=audio [field0] RTP/AVP 8 101
a=rtpmap:101 telephone-event/8000
]]></send>
<recv response="100" optional="true"/><recv response="180" optional="true"/><recv response="183" optional="true"/>
<recv response="200" rrs="true" rtd="1" timeout="10000"/>
<send><![CDATA[
ACK [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:79271234567@[local_ip]:[local_port]>;tag=[call_number]
To: <sip:[service]@[remote_ip]:[remote_port]>[peer_tag_param]
Call-ID: [call_id]
CSeq: 1 ACK
Max-Forwards: 70
Content-Length: 0

]]></send>
<pause milliseconds="{pause}"/>
<send retrans="500"><![CDATA[
BYE [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:79271234567@[local_ip]:[local_port]>;tag=[call_number]
To: <sip:[service]@[remote_ip]:[remote_port]>[peer_tag_param]
Call-ID: [call_id]
CSeq: 2 BYE
Max-Forwards: 70
Content-Length: 0

]]></send>
<recv response="200" timeout="10000"/>
</scenario>
"""


# ---- processes and cores ---------------------------------------------------------------------------------------------


def cores() -> tuple[set[int], set[int]]:
    """One core for the switch, the others for everything else (the same one where there is no other)."""
    all_of_them = sorted(os.sched_getaffinity(0))
    return {all_of_them[0]}, set(all_of_them[1:]) or {all_of_them[0]}


def pin(pid: int, where: set[int]) -> None:
    for thread in os.listdir(f"/proc/{pid}/task"):
        os.sched_setaffinity(int(thread), where)


@contextmanager
def undisturbed(*pids: int, seconds: float) -> Iterator[None]:
    """With `realtime` nobody else gets the cores of these processes meanwhile, if it is not for long."""
    wanted = realtime and seconds <= LONGEST_REALTIME_SECONDS
    if wanted:
        _schedule(pids, os.SCHED_FIFO, 1)
    try:
        yield
    finally:
        if wanted:
            _schedule(pids, os.SCHED_OTHER, 0)


def _schedule(pids: Iterable[int], policy: int, priority: int) -> None:
    for pid in pids:
        with suppress(ProcessLookupError, FileNotFoundError):
            for thread in os.listdir(f"/proc/{pid}/task"):
                os.sched_setscheduler(int(thread), policy, os.sched_param(priority))


@contextmanager
def pinned_pbx(folder: Path) -> Iterator[PbxProcess]:
    with PbxProcess(folder) as pbx:
        first, rest = cores()
        pin(pbx.ready["switch_pid"], first)
        pin(pbx.ready["pid"], rest)
        yield pbx


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def waited_seconds(pid: int) -> float:
    """How long the process was ready to run while its core did something else."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9


class Load:
    """CPU of switch and engine between two moments, in percent of one core."""

    def __init__(self, pbx: PbxProcess) -> None:
        self.pids = {"switch": pbx.ready["switch_pid"], "engine": pbx.ready["pid"]}
        self.began = time.monotonic()
        self.cpu = {name: cpu_seconds(pid) for name, pid in self.pids.items()}
        self.waited = waited_seconds(self.pids["switch"])

    def percent(self) -> dict[str, float]:
        wall = time.monotonic() - self.began
        found = {f"{name}_cpu_percent": 100 * (cpu_seconds(pid) - self.cpu[name]) / wall for name, pid in self.pids.items()}
        found["switch_waited_percent"] = 100 * (waited_seconds(self.pids["switch"]) - self.waited) / wall
        return {name: round(value, 1) for name, value in found.items()}


class Sipp:
    """Callers: `count` calls at `rate` a second, each living `seconds`, with RTP sent to these ports in turn."""

    def __init__(self, folder: Path, trunk_port: int, ports: list[int], *, count: int, rate: int, seconds: float) -> None:
        folder.mkdir()
        self.folder = folder
        (folder / "caller.xml").write_text(SCENARIO.replace("{pause}", str(int(seconds * 1000))))
        (folder / "ports.csv").write_text("SEQUENTIAL\n" + "".join(f"{port}\n" for port in ports))
        command = [
            "sipp", f"127.0.0.1:{trunk_port}", "-sf", "caller.xml", "-inf", "ports.csv", "-i", "127.0.0.1", "-s", DID.lstrip("+"),
            "-m", str(count), "-r", str(rate), "-l", str(count), "-nostdin", "-trace_stat", "-stf", "stat.csv", "-fd", "1",
            "-trace_rtt", "-rtt_freq", "1", "-trace_err", "-error_file", "errors.log",
            "-buff_size", str(4 << 20), "-timeout", str(int(count / rate + seconds + 40)),
        ]  # fmt: skip
        _, rest = cores()
        self.process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            preexec_fn=lambda: os.sched_setaffinity(0, rest),
        )  # fmt: skip

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()

    def finish(self, within: float) -> dict[str, Any]:
        """Calls that succeeded and failed, repeated messages, INVITE→200 in ms."""
        try:
            self.process.wait(within)
        finally:
            self.stop()
        return self.so_far()

    def so_far(self) -> dict[str, Any]:
        """The same while calls are going on, up to a second old."""
        with (self.folder / "stat.csv").open(newline="") as file:
            last = list(csv.DictReader(file, delimiter=";"))[-1]
        times = sorted(response_times(self.folder))
        return {
            "made": int(last["TotalCallCreated"]),
            "succeeded": int(last["SuccessfulCall(C)"]),
            "failed": int(last["FailedCall(C)"]),
            "repeated": int(last["Retransmissions(C)"]),
            "ms_p50": at(times, 0.5),
            "ms_p99": at(times, 0.99),
        }


def response_times(folder: Path) -> Iterator[float]:
    for path in folder.glob("*rtt.csv"):
        for line in path.read_text().splitlines()[1:]:
            fields = line.split(";")
            if len(fields) >= 2 and re.fullmatch(r"[0-9.]+", fields[1]):
                yield float(fields[1])


def at(values: list[float], share: float) -> float:
    return round(values[min(len(values) - 1, int(share * len(values)))], 1) if values else float("nan")


# ---- set-ups a second ------------------------------------------------------------------------------------------------


def one_rate(pbx: PbxProcess, folder: Path, rate: int, seconds: float) -> dict[str, Any]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as deaf:  # bound, so that no ICMP comes back; never read
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.bind(("127.0.0.1", 0))
        time.sleep(0.2)
        pbx.ask("lag")
        load = Load(pbx)
        sipp = Sipp(folder, pbx.ready["trunk_port"], [deaf.getsockname()[1]], count=int(rate * seconds), rate=rate, seconds=1.0)
        pids = (pbx.ready["switch_pid"], pbx.ready["pid"], sipp.process.pid)
        with undisturbed(*pids, seconds=seconds + 3):
            found = sipp.finish(seconds + 60) | load.percent()
    lag = pbx.ask("lag")["lag_ms"]
    pbx.ask("drain")
    return {"rate": rate, "seconds": seconds, **found, "engine_lag_ms": lag}


def setups(quick: bool) -> dict[str, Any]:
    """The highest rate of the steps at which nothing failed, held for 30 s at the end (10 s with --quick)."""
    rates, probe, confirm = ((100, 200, 300), 4, 10) if quick else ((50, 100, 150, 200, 250, 300, 350, 400), 8, 30)
    steps = []
    log_lines: list[str] = []
    held: dict[str, Any] = {"rate": 0}
    with tempfile.TemporaryDirectory() as name:
        with pinned_pbx(Path(name) / "pbx") as pbx:
            for rate in rates:
                steps.append(one_rate(pbx, Path(name) / f"probe-{rate}", rate, probe))
                if steps[-1]["failed"] or steps[-1]["succeeded"] != steps[-1]["made"]:
                    break
            log_lines += pbx.errors()[-5:]
        for rate in sorted((step["rate"] for step in steps if not step["failed"]), reverse=True):
            # a switch of its own: calls that an overload has left behind, whose callers are gone, would count against the next rate
            with pinned_pbx(Path(name) / f"pbx-{rate}") as pbx:
                steps.append(one_rate(pbx, Path(name) / f"held-{rate}", rate, confirm))
                log_lines += pbx.errors()[-5:]
            if not steps[-1]["failed"]:
                held = steps[-1]
                break
    return {"held": held, "steps": steps, "goal": GOAL_SETUPS, "reached": held["rate"] >= GOAL_SETUPS, "log": log_lines}


# ---- prompts at once -------------------------------------------------------------------------------------------------


def _receiver(pipe: Connection, streams: int) -> None:
    """Every k-th call has its own socket with kernel time stamps; the rest end in a few sockets that are drained."""
    os.sched_setaffinity(0, cores()[1])
    gc.disable()
    sampled = {round(index * streams / SAMPLES) for index in range(SAMPLES)}
    sinks = [rtp_socket() for _ in range(8)]
    measured = []
    ports = []
    for index in range(streams):
        sock = rtp_socket() if index in sampled else sinks[index % len(sinks)]
        if index in sampled:
            sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
            measured.append(sock)
        ports.append(sock.getsockname()[1])
    pipe.send(ports)
    buffer = bytearray(2048)
    by_fd = {sock.fileno(): sock for sock in (*measured, *sinks)}
    poll = select.epoll()
    for descriptor in by_fd:
        poll.register(descriptor, select.EPOLLIN)
    arrivals: dict[int, list[tuple[int, int, int]]] = {}
    until = float("inf")
    seconds = 0.0
    while (now := time.monotonic()) < until:
        if pipe.poll():
            seconds = pipe.recv()
            for sock in by_fd.values():
                drain(sock, None, buffer)
            arrivals = {sock.fileno(): [] for sock in measured}
            until = now + seconds
        time.sleep(0.005)  # the stamps are the kernel's; sleeping spares the switch a wake-up per packet
        for descriptor, _ in poll.poll(0):
            drain(by_fd[descriptor], arrivals.get(descriptor), buffer)
    series = list(arrivals.values())
    silent = sum(not one for one in series)
    pipe.send({**summary(series, seconds, relayed=False), "silent_streams": silent})


def all_live(pbx: PbxProcess, calls: int, within: float) -> int:
    """Wait until every call is in the menu; how many are."""
    until = time.monotonic() + within
    while (live := int(pbx.ask("lag")["calls"])) < calls and time.monotonic() < until:
        time.sleep(0.5)
    time.sleep(1.0)
    return live


def one_crowd(folder: Path, calls: int, seconds: float) -> dict[str, Any]:
    """Lateness with this many calls hearing the menu's file."""
    rate = 60
    context = multiprocessing.get_context("spawn")
    pipe, far_end = context.Pipe()
    receiver = context.Process(target=_receiver, args=(far_end, calls))
    receiver.start()
    sipp = None
    try:
        ports = pipe.recv()
        with pinned_pbx(folder / "pbx") as pbx:
            life = calls / rate + seconds + PATIENCE_SECONDS + 5
            sipp = Sipp(folder / "sipp", pbx.ready["trunk_port"], ports, count=calls, rate=rate, seconds=life)
            live = all_live(pbx, calls, calls / rate + PATIENCE_SECONDS)
            load = Load(pbx)
            with undisturbed(pbx.ready["switch_pid"], seconds=seconds):
                pipe.send(seconds)
                heard = pipe.recv()
                busy = load.percent()
            time.sleep(1.1)
            found = sipp.so_far()
            sipp.stop()
            log_lines = pbx.errors()[-3:]
    finally:
        receiver.kill()
        receiver.join()
        if sipp is not None:
            sipp.stop()
    return {"calls": calls, "live": live, "seconds": seconds, **heard, **busy, "failed": found["failed"], "log": log_lines}


def punctual(found: dict[str, Any]) -> bool:
    complete = found["packets"] >= 0.99 * found["expected"]
    return bool(found["live"] == found["calls"] and not found["failed"] and complete and found["late_ms"]["p99"] <= GOAL_LATE_MS)


def prompts(quick: bool) -> dict[str, Any]:
    """The largest crowd of the steps whose 99th percentile of lateness is within 2 ms, all calls live, no packet missing."""
    crowds, seconds = ((300,), 6.0) if quick else ((200, 400, 600, 800, 1000), 15.0)
    steps = []
    for calls in crowds:
        with tempfile.TemporaryDirectory() as name:
            steps.append(one_crowd(Path(name), calls, seconds))
        if not punctual(steps[-1]):
            break
    good = [step for step in steps if punctual(step)]
    most = good[-1]["calls"] if good else 0
    return {"calls": most, "steps": steps, "goal": GOAL_CALLS, "goal_ms": GOAL_LATE_MS, "reached": most >= GOAL_CALLS}


def run(quick: bool) -> dict[str, Any]:
    """Keys: prompts (calls, steps, goal, reached), setups (held, steps, goal, reached)."""
    return {"prompts": prompts(quick), "setups": setups(quick)}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", choices=("prompts", "setups"))
    parser.add_argument("--realtime", action="store_true", help=REALTIME)
    options = parser.parse_args()
    realtime = options.realtime
    work = {"prompts": prompts, "setups": setups}.get(options.only, run)
    print(json.dumps(work(options.quick), indent=2))
