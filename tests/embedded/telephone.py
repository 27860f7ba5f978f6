# SPDX-License-Identifier: Apache-2.0
"""A whole telephone for tests: the scripted SIP phone with a mouth and an ear (G.711 A-law over its own RTP socket)."""

from __future__ import annotations

import asyncio
import socket
import struct
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from tests.embedded.sip.phone import Msg, Phone, parse

RATE = 8000


def _table() -> NDArray[np.int16]:
    values = []
    for code in range(256):
        code ^= 0x55
        sign = 1 if code & 0x80 else -1
        segment, step = (code & 0x70) >> 4, code & 0x0F
        magnitude = (step << 4) + 8 if not segment else ((step << 4) + 0x108) << (segment - 1)
        values.append(sign * magnitude)
    return np.array(values, np.int16)


DECODE = _table()
_ORDER = np.argsort(DECODE, kind="stable")
_SORTED = DECODE[_ORDER].astype(np.int32)


def encode(samples: NDArray[np.float64]) -> bytes:
    """-1…1 to A-law, nearest value."""
    wanted = np.clip(samples * 32767, -32256, 32256)
    at = np.clip(np.searchsorted(_SORTED, wanted), 1, 255)
    at -= (wanted - _SORTED[at - 1]) < (_SORTED[at] - wanted)
    return _ORDER[at].astype(np.uint8).tobytes()


class Telephone(Phone):
    """`heard` is everything that came as A-law, in order of arrival."""

    def __init__(self, server: tuple[str, int], user: str = "101", domain: str = "t1.test", password: str = "") -> None:
        super().__init__(server, user, domain, password or f"pw-{user}")
        self.heard = bytearray()
        self.events_heard: list[int] = []
        self.packets: list[tuple[float, int, int]] = []
        self._talk: asyncio.Task[None] | None = None
        self.peer: tuple[str, int] | None = None
        self._sequence, self._timestamp = 1000, 0
        self._event_timestamp = -1
        self._news = asyncio.Event()

    async def open(self, host: str = "127.0.0.1") -> Telephone:
        await super().open(host)
        self.rtp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.rtp.bind((host, 0))
        self.rtp.setblocking(False)
        asyncio.get_running_loop().add_reader(self.rtp, self._hear)
        return self

    def close(self) -> None:
        self.quiet()
        # Before the socket goes: the next one may get its number, and a poller that still knows it would never read it.
        asyncio.get_running_loop().remove_reader(self.rtp)
        super().close()
        self.rtp.close()

    # -- sound -------------------------------------------------------------------------------------------------------

    def _hear(self) -> None:
        data = self.rtp.recv(2048)
        if len(data) < 12:
            return
        kind, sequence, timestamp = data[1] & 0x7F, *struct.unpack_from("!HI", data, 2)
        if kind == 8:
            self.heard += data[12:]
        elif kind == 101 and timestamp != self._event_timestamp:
            self._event_timestamp = timestamp
            self.events_heard.append(data[12])
        self.packets.append((asyncio.get_running_loop().time(), kind, sequence))
        self._news.set()

    def say(self, hertz: float) -> None:
        """A tone from now on, to where the last description said; 0 = silence."""
        self.quiet()
        self._talk = asyncio.create_task(self._speak(hertz))

    def quiet(self) -> None:
        if self._talk is not None:
            self._talk.cancel()
            self._talk = None

    async def _speak(self, hertz: float) -> None:
        loop = asyncio.get_running_loop()
        due, phase = loop.time(), 0
        while True:
            t = (np.arange(160) + phase) / RATE
            phase += 160
            self._send(8, encode(0.4 * np.sin(2 * np.pi * hertz * t)) if hertz else b"\xd5" * 160)
            due += 0.02
            await asyncio.sleep(max(0, due - loop.time()))

    def _send(self, kind: int, payload: bytes, *, step: int = 160, marker: bool = False) -> None:
        assert self.peer is not None
        self._sequence += 1
        self._timestamp += step
        header = struct.pack("!BBHII", 0x80, kind | marker << 7, self._sequence & 0xFFFF, self._timestamp & 0xFFFFFFFF, 0x77)
        self.rtp.sendto(header + payload, self.peer)

    async def press(self, digits: str) -> float:
        """RFC 4733, 100 ms a key; when the first end packet of the last one went (loop time)."""
        ended = 0.0
        for digit in digits:
            code = "0123456789*#".index(digit)
            self._timestamp += 160
            for index in range(5):
                self._send(101, struct.pack("!BBH", code, 10, 160 * (index + 1)), step=0, marker=not index)
                await asyncio.sleep(0.02)
            ended = asyncio.get_running_loop().time()
            for _ in range(3):
                self._send(101, struct.pack("!BBH", code, 0x8A, 960), step=0)
            self._timestamp += 960
        return ended

    async def hears(self, hertz: float, within: float = 5.0, seconds: float = 0.3, *, since: int | None = None) -> None:
        """Wait until the last `seconds` heard are this tone, or any since `since` (a length of `heard`): it may be over already."""
        try:
            async with asyncio.timeout(within):
                while not self._heard_since(since, hertz, seconds) and self.strength(hertz, seconds) < 0.6:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise AssertionError(f"{self.user} does not hear {hertz} Hz: {self.strength(hertz, seconds):.2f}") from None

    def _heard_since(self, since: int | None, hertz: float, seconds: float) -> bool:
        step = int(seconds * RATE)
        ends = range(since + step, len(self.heard) + 1, step // 2) if since is not None else ()
        return any(self.strength(hertz, seconds, end) >= 0.6 for end in ends)

    async def listen(self, seconds: float) -> None:
        """Wait for that much more sound."""
        enough = len(self.heard) + int(seconds * RATE)
        async with asyncio.timeout(seconds + 5):
            while len(self.heard) < enough:
                self._news.clear()
                await self._news.wait()

    async def keys(self, *codes: int, within: float = 5.0) -> None:
        """Wait until exactly these key events have been received (RFC 4733 codes)."""
        async with asyncio.timeout(within):
            while self.events_heard != list(codes):
                self._news.clear()
                await self._news.wait()

    async def hears_nothing(self, within: float = 5.0, seconds: float = 0.3) -> None:
        """Wait until no packet has come for `seconds`, or only silence."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(within):
            while True:
                last = self.packets[-1][0] if self.packets else loop.time() - 10
                if loop.time() - last >= seconds or self.loudness(seconds) < 300:
                    return
                await asyncio.sleep(0.02)

    def loudness(self, seconds: float = 0.3) -> float:
        recent = self.heard[-int(seconds * RATE) :]
        return float(np.abs(DECODE[np.frombuffer(recent, np.uint8)].astype(np.float64)).mean()) if recent else 0.0

    def strength(self, hertz: float, seconds: float = 0.3, end: int | None = None) -> float:
        """Share of the power of the sound before `end` (now) within 20 Hz of this tone."""
        count, end = int(seconds * RATE), len(self.heard) if end is None else end
        if end < count:
            return 0.0
        samples = DECODE[np.frombuffer(bytes(self.heard[end - count : end]), np.uint8)].astype(np.float64)
        if float(np.mean(samples**2)) < 1e4:
            return 0.0
        power = np.abs(np.fft.rfft(samples * np.hanning(count))) ** 2
        frequencies = np.fft.rfftfreq(count, 1 / RATE)
        return float(power[np.abs(frequencies - hertz) < 20].sum() / power.sum())

    def sdp(self, direction: str = "sendrecv", version: int = 1) -> str:
        port = self.rtp.getsockname()[1]
        return (
            f"v=0\r\no=- 1 {version} IN IP4 {self.host}\r\ns=-\r\nc=IN IP4 {self.host}\r\nt=0 0\r\n"
            f"m=audio {port} RTP/AVP 8 101\r\na=rtpmap:101 telephone-event/8000\r\na={direction}\r\n"
        )

    def take(self, description: str) -> None:
        """Send where this description says."""
        lines = description.splitlines()
        host = next(line.split()[-1] for line in lines if line.startswith("c="))
        port = next(int(line.split()[1]) for line in lines if line.startswith("m=audio"))
        self.peer = (host, port)

    # -- calls -------------------------------------------------------------------------------------------------------

    async def call(self, number: str, *, extra: list[tuple[str, str]] | None = None, sign: bool = True) -> Talk:
        """Send an INVITE, answering a challenge; wait on the returned Talk."""
        uri = f"sip:{number}@{self.domain}" if "@" not in number else f"sip:{number}"
        me = f"<sip:{self.user}@{self.domain}>;tag=t{id(object())}{self.port}{len(self.seen)}"
        raw = self.request("INVITE", uri, from_=me, body=self.sdp(), extra=extra)
        self.send(raw)
        if sign:
            challenge = await self.final("INVITE")
            assert challenge.code == 407, challenge.start
            self.send(self.ack(raw, challenge))
            name, value = self.credentials(challenge, "INVITE", uri)
            raw = self.again(raw, CSeq="2 INVITE", **{name: value})
            self.send(raw)
        return Talk(self, raw)

    async def incoming(self, within: float = 5.0) -> Answering:
        return Answering(self, await self.get("INVITE", within))


def replaces(tags: tuple[str, str, str], target: str) -> str:
    """A Refer-To that asks to take the place of this dialog, seen from the other end."""
    call_id, to_tag, from_tag = tags
    return f"sip:{target}?Replaces=" + quote(f"{call_id};to-tag={to_tag};from-tag={from_tag}", safe="")


class Talk:
    """A call this phone has made."""

    def __init__(self, phone: Telephone, invite: bytes) -> None:
        self.phone, self.invite = phone, invite
        self.response: Msg | None = None
        self.cseq = 10

    async def answered(self, within: float = 5.0) -> Msg:
        response = await self.phone.final("INVITE", within)
        self.phone.send(self.phone.ack(self.invite, response))
        assert response.code == 200, response.start
        self.response = response
        self.phone.take(response.body)
        return response

    async def rings(self, within: float = 5.0) -> tuple[str, str, str]:
        """Until it rings there; the early dialog for Replaces, as `tags`."""
        self.response = await self.phone.get(180, within)
        return self.tags

    async def early(self, within: float = 5.0) -> Msg:
        response = await self.phone.get(183, within)
        self.phone.take(response.body)
        return response

    async def refused(self, within: float = 5.0) -> int:
        response = await self.phone.final("INVITE", within)
        self.phone.send(self.phone.ack(self.invite, response))
        return response.code

    def request(self, method: str, **options: object) -> None:
        assert self.response is not None
        self.cseq += 1
        self.phone.send(self.phone.in_dialog(method, self.invite, self.response, cseq=self.cseq, **options))  # type: ignore[arg-type]

    async def hang_up(self) -> None:
        self.request("BYE")
        assert (await self.phone.final("BYE")).code == 200

    async def ended(self, within: float = 5.0) -> Msg:
        """The switch hangs up."""
        bye = await self.phone.get("BYE", within)
        self.phone.send(self.phone.reply(bye, 200))
        return bye

    def cancel(self) -> None:
        m = parse(self.invite)
        branch = m.get("Via").partition("branch=")[2]
        self.phone.send(
            self.phone.request(
                "CANCEL", m.uri, to=m.get("To"), from_=m.get("From"), call_id=m.get("Call-ID"), cseq=m.cseq[0], branch=branch
            )
        )

    async def hold(self, direction: str = "sendonly") -> Msg:
        """Re-INVITE; the switch's answer."""
        self.request("INVITE", body=self.phone.sdp(direction, self.cseq + 1))
        answer = await self.phone.final("INVITE")
        self.request_ack(answer)
        return answer

    def request_ack(self, answer: Msg) -> None:
        m = parse(self.invite)
        headers = self.phone.request(
            "ACK", answer.contact, to=answer.get("To"), from_=m.get("From"), call_id=m.get("Call-ID"), cseq=self.cseq
        )
        self.phone.send(headers)

    @property
    def tags(self) -> tuple[str, str, str]:
        """Call-ID, the switch's tag, our tag (for Replaces)."""
        assert self.response is not None
        return self.response.get("Call-ID"), self.response.tag("To"), self.response.tag("From")

    async def refer(self, target: str) -> int:
        """The answer to a REFER."""
        self.request("REFER", extra=[("Refer-To", f"<{target}>"), ("Referred-By", f"<sip:{self.phone.user}@{self.phone.domain}>")])
        return (await self.phone.final("REFER")).code


class Answering:
    """A call that has come to this phone."""

    def __init__(self, phone: Telephone, invite: Msg) -> None:
        self.phone, self.invite = phone, invite
        self.tag = f"a{phone.port}{len(phone.seen)}"
        self.cseq = 100

    def ring(self) -> None:
        self.phone.send(self.phone.reply(self.invite, 180, tag=self.tag))

    def early(self) -> None:
        self.phone.take(self.invite.body)
        self.phone.send(self.phone.reply(self.invite, 183, tag=self.tag, body=self.phone.sdp()))

    async def answer(self) -> None:
        self.phone.take(self.invite.body)
        self.phone.send(self.phone.reply(self.invite, 200, tag=self.tag, body=self.phone.sdp()))
        await self.phone.get("ACK")

    async def refuse(self, code: int) -> None:
        self.phone.send(self.phone.reply(self.invite, code, tag=self.tag))
        await self.phone.get("ACK")

    async def cancelled(self, within: float = 5.0) -> Msg:
        cancel = await self.phone.get("CANCEL", within)
        self.phone.send(self.phone.reply(cancel, 200, tag=self.tag))
        self.phone.send(self.phone.reply(self.invite, 487, tag=self.tag))
        return cancel

    def request(self, method: str, **options: object) -> None:
        self.cseq += 1
        self.phone.send(self.phone.callee_request(method, self.invite, self.tag, cseq=self.cseq, **options))  # type: ignore[arg-type]

    async def hang_up(self) -> None:
        self.request("BYE")
        assert (await self.phone.final("BYE")).code == 200

    async def ended(self, within: float = 5.0) -> Msg:
        bye = await self.phone.get("BYE", within)
        self.phone.send(self.phone.reply(bye, 200))
        return bye

    async def hold(self, direction: str = "sendonly") -> Msg:
        self.request("INVITE", body=self.phone.sdp(direction, self.cseq + 1))
        answer = await self.phone.final("INVITE")
        ack = self.phone.request(
            "ACK", answer.contact, to=answer.get("To"), from_=answer.get("From"), call_id=answer.get("Call-ID"), cseq=self.cseq
        )
        self.phone.send(ack)
        return answer

    async def refer(self, target: str) -> int:
        self.request("REFER", extra=[("Refer-To", f"<{target}>"), ("Referred-By", f"<sip:{self.phone.user}@{self.phone.domain}>")])
        return (await self.phone.final("REFER")).code

    @property
    def tags(self) -> tuple[str, str, str]:
        """Call-ID, the switch's tag, our tag (for Replaces)."""
        return self.invite.get("Call-ID"), self.invite.tag("From"), self.tag
