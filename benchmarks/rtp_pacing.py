# SPDX-License-Identifier: Apache-2.0
"""Punctuality of the embedded switch's RTP: N streams to a receiver in another process that takes kernel time stamps.

`python benchmarks/rtp_pacing.py --streams 800 --seconds 10` prints CPU and lateness; `measure()` returns the same as a dict
and is what `make bench` calls. The media process also parses SIP-like messages on the same asyncio loop (`--messages` a
second); with `--mode both-ways` the receiver talks on every stream, with `--mode bridged` they relay to each other in pairs.
"""

import argparse
import asyncio
import contextlib
import gc
import json
import multiprocessing
import os
import resource
import select
import socket
import struct
import time
from array import array
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from engine.embedded.rtp import Law, MediaEngine, PlayEnd, Stream
from engine.embedded.rtp.wav import pcm16_header

MODES = ("play", "both-ways", "bridged", "recorded")
SO_TIMESTAMPNS = getattr(socket, "SO_TIMESTAMPNS", 35)
MESSAGE = (
    b"INVITE sip:201@pbx.example SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5062;branch=z9hG4bK-%d;rport\r\nMax-Forwards: 70\r\n"
    b"From: <sip:101@pbx.example>;tag=a1\r\nTo: <sip:201@pbx.example>\r\nCall-ID: %d@127.0.0.1\r\nCSeq: 1 INVITE\r\n"
    b"Contact: <sip:101@127.0.0.1:5062>\r\nUser-Agent: benchmark\r\nContent-Length: 0\r\n\r\n"
)


def measure(
    streams: int = 800, seconds: float = 10.0, *, mode: str = "play", messages: int = 2000, samples: int = 40
) -> dict[str, Any]:
    """Keys: streams, mode, cpu_percent (media process, of one core), waited_percent (ready, but the core was
    taken by others: above 1 or 2 the lateness is not ours), late_ms {p50, p99, p999, max}, packets, expected,
    sampled_streams, us_per_packet, messages_per_second (parsed), cores."""
    if mode not in MODES:
        raise ValueError(f"mode must be one of {MODES}")
    context = multiprocessing.get_context("spawn")
    to_receiver, receiver_end = context.Pipe()
    to_media, media_end = context.Pipe()
    receiver = context.Process(target=_receiver, args=(receiver_end, streams, seconds, mode, messages, samples))
    media = context.Process(target=_media, args=(media_end, streams, mode))
    receiver.start()
    media.start()
    try:
        targets = to_receiver.recv()
        to_media.send(targets)
        ports, signalling = to_media.recv()
        to_receiver.send((ports, signalling))
        heard = to_receiver.recv()
        to_media.send("stop")
        worked = to_media.recv()
    finally:
        for process in (receiver, media):
            process.join(10)
            if process.is_alive():
                process.kill()
    packets = worked["sent"] + worked["received"]
    return {
        "streams": streams,
        "mode": mode,
        "cpu_percent": round(100 * worked["cpu"] / worked["wall"], 1),
        "waited_percent": round(100 * worked["waited"] / worked["wall"], 1),
        "us_per_packet": round(1e6 * worked["cpu"] / max(1, packets), 2),
        "messages_per_second": round(worked["messages"] / worked["wall"]),
        "skipped_ms": worked["skipped_ms"],
        "cores": os.cpu_count(),
        **heard,
    }


def pin(core: int) -> None:
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[core % len(cores)]})
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


# ---- the media process -----------------------------------------------------------------------------------------------


class _Signalling(asyncio.DatagramProtocol):
    """Stands for the SIP layer: parses each message into a dict."""

    def __init__(self) -> None:
        self.count = 0

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.count += 1
        for _ in range(4):
            head = data.decode().split("\r\n\r\n", 1)[0].split("\r\n")
            headers: dict[str, list[str]] = {}
            for line in head[1:]:
                name, _, value = line.partition(":")
                headers.setdefault(name.lower(), []).append(value.strip())


def _media(pipe: Connection, streams: int, mode: str) -> None:
    pin(0)
    gc.freeze()
    asyncio.run(_media_main(pipe, streams, mode))


async def _media_main(pipe: Connection, streams: int, mode: str) -> None:
    loop = asyncio.get_running_loop()
    targets = pipe.recv()
    with TemporaryDirectory() as folder:
        prompt = Path(folder) / "prompt.wav"
        samples = array("h", [(n * 37) % 4000 - 2000 for n in range(8000 * 30)]).tobytes()
        prompt.write_bytes(pcm16_header(1, len(samples)) + samples)
        engine = MediaEngine()
        engine.start()
        opened = [engine.open("127.0.0.1") for _ in range(streams)]
        for stream, target in zip(opened, targets, strict=True):
            stream.set_remote(target, Law.PCMA, 101)
        _begin(opened, mode, prompt, folder)
        signalling = _Signalling()
        transport, _ = await loop.create_datagram_endpoint(lambda: signalling, local_addr=("127.0.0.1", 0))
        await asyncio.sleep(1.5)  # the first second encodes the prompt
        before = _totals(opened)
        signalling.count, skipped = 0, engine.skipped_ms
        cpu, wall, ready = time.process_time(), time.monotonic(), waited()
        pipe.send(([stream.local_port for stream in opened], transport.get_extra_info("sockname")))
        stop = asyncio.Event()
        loop.add_reader(pipe.fileno(), stop.set)
        await stop.wait()
        sent, received = (after - start for after, start in zip(_totals(opened), before, strict=True))
        pipe.send({
            "cpu": time.process_time() - cpu,
            "wall": time.monotonic() - wall,
            "waited": waited() - ready,
            "sent": sent,
            "received": received,
            "messages": signalling.count,
            "skipped_ms": engine.skipped_ms - skipped,
        })  # fmt: skip
        loop.remove_reader(pipe.fileno())
        transport.close()
        await engine.close()


def waited() -> float:
    """Seconds this process was ready to run while the core did something else (Linux)."""
    try:
        return int(Path("/proc/self/schedstat").read_text().split()[1]) / 1e9
    except (OSError, IndexError):
        return float("nan")


def _totals(opened: list[Stream]) -> tuple[int, int]:
    stats = [stream.stats for stream in opened]
    return sum(one.sent for one in stats), sum(one.received for one in stats)


def _begin(opened: list[Stream], mode: str, prompt: Path, folder: str) -> None:
    if mode == "bridged":
        for one, other in zip(opened[::2], opened[1::2], strict=False):
            one.bridge(other)
        return
    for index, stream in enumerate(opened):
        _play_again(stream, str(prompt))
        if mode == "recorded":
            stream.record(f"{folder}/{index}.wav", done=lambda end: None)


def _play_again(stream: Stream, path: str) -> None:
    def ended(end: PlayEnd) -> None:
        if end is PlayEnd.FINISHED:
            _play_again(stream, path)

    stream.play(path, ended)


# ---- the receiver ----------------------------------------------------------------------------------------------------


def rtp_socket() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    sock.bind(("127.0.0.1", 0))
    sock.setblocking(False)
    return sock


def _receiver(pipe: Connection, streams: int, seconds: float, mode: str, messages: int, samples: int) -> None:
    """Every k-th stream has its own socket with kernel time stamps; the rest ends in a few sockets that are drained."""
    pin(1)
    gc.disable()
    talking = mode != "play"
    sampled = {round(index * streams / samples) for index in range(min(samples, streams))}
    sinks = [rtp_socket() for _ in range(8)]
    measured: list[socket.socket] = []
    targets: list[tuple[str, int]] = []
    senders: list[socket.socket] = []
    for index in range(streams):
        if index in sampled:
            sock = rtp_socket()
            sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
            measured.append(sock)
        else:
            sock = sinks[index % len(sinks)]
        senders.append(sock)
        targets.append(sock.getsockname())
    pipe.send(targets)
    ports, signalling = pipe.recv()
    arrivals: dict[int, list[tuple[int, int, int]]] = {sock.fileno(): [] for sock in measured}
    by_fd = {sock.fileno(): sock for sock in (*measured, *sinks)}
    poll = select.epoll()
    for descriptor in by_fd:
        poll.register(descriptor, select.EPOLLIN)
    caller = rtp_socket()
    buffer = bytearray(2048)
    for sock in by_fd.values():
        drain(sock, None, buffer)  # what came while the streams were set up
    start = time.monotonic()
    tick = 0
    asked = 0
    while (now := time.monotonic()) < start + seconds:
        while start + tick * 0.001 <= now:
            if talking:
                mine = range(tick % 20, streams, 20)  # spread over the millisecond, as packets of many phones are
                for place, index in enumerate(mine):
                    while time.monotonic() < start + tick * 0.001 + place * 0.001 / len(mine):
                        pass
                    header = struct.pack("!BBHII", 0x80, 8, tick // 20 & 0xFFFF, tick // 20 * 160, index + 1)
                    stamp = struct.pack("!Q", time.time_ns())
                    with contextlib.suppress(BlockingIOError):
                        senders[index].sendto(header + stamp + b"\xd5" * 152, ("127.0.0.1", ports[index]))
            tick += 1
        while asked < (now - start) * messages:
            caller.sendto(MESSAGE % (asked, asked), signalling)
            asked += 1
        # waiting in epoll would make the media process pay for a wake-up per packet; the stamps are the kernel's anyway
        time.sleep(max(0.0, start + tick * 0.001 - time.monotonic()) if talking or messages else 0.005)
        for descriptor, _ in poll.poll(0):
            drain(by_fd[descriptor], arrivals.get(descriptor), buffer)
    pipe.send(summary(list(arrivals.values()), seconds, relayed=mode == "bridged"))


def drain(sock: socket.socket, arrivals: list[tuple[int, int, int]] | None, buffer: bytearray) -> None:
    with contextlib.suppress(BlockingIOError):
        while True:
            if arrivals is None:
                sock.recv_into(buffer)
                continue
            data, ancillary, _, _ = sock.recvmsg(2048, 64)
            stamp_s, stamp_ns = struct.unpack("qq", ancillary[0][2])
            timestamp, _, sent = struct.unpack_from("!IIQ", data, 4)
            arrivals.append((stamp_s * 1_000_000_000 + stamp_ns, timestamp, sent))


def summary(series: list[list[tuple[int, int, int]]], seconds: float, *, relayed: bool) -> dict[str, Any]:
    """Lateness = arrival minus the line through the most punctual packet of the stream with the slope of its timestamps;
    of relayed packets the time from their sending to their arrival, as the sender's own unpunctuality is not ours."""
    late: list[float] = []
    for arrivals in series:
        if relayed:
            late.extend((stamp - sent) / 1e6 for stamp, _, sent in arrivals)
            continue
        offsets = [stamp - (timestamp - arrivals[0][1] & 0xFFFFFFFF) * 125_000 for stamp, timestamp, _ in arrivals]
        if offsets:
            earliest = min(offsets)
            late.extend((offset - earliest) / 1e6 for offset in offsets)
    late.sort()

    def at(share: float) -> float:
        return round(late[min(len(late) - 1, int(share * len(late)))], 3) if late else float("nan")

    return {
        "late_ms": {"p50": at(0.5), "p99": at(0.99), "p999": at(0.999), "max": at(1.0)},
        "sampled_streams": len(series),
        "packets": len(late),
        "expected": int(len(series) * seconds * 50),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--streams", type=int, default=800)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--mode", choices=MODES, default="play")
    parser.add_argument("--messages", type=int, default=2000, help="SIP-like messages a second on the same loop")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    result = measure(options.streams, options.seconds, mode=options.mode, messages=options.messages)
    if options.json:
        print(json.dumps(result))
        return
    late = result["late_ms"]
    print(
        f"{result['streams']} streams, {result['mode']}: CPU {result['cpu_percent']} % of one core "
        f"({result['us_per_packet']} µs a packet, {result['messages_per_second']} messages/s beside it, "
        f"waited {result['waited_percent']} % for the core); late ms "
        f"p50 {late['p50']} p99 {late['p99']} p99.9 {late['p999']} max {late['max']}; "
        f"{result['packets']}/{result['expected']} packets on {result['sampled_streams']} streams"
    )


if __name__ == "__main__":
    main()
