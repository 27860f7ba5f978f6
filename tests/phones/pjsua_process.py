# SPDX-License-Identifier: Apache-2.0
"""One pjsua2 phone as a process of its own (the library may abort): JSON commands on stdin, JSON events on stdout.

Run by tests.phones.pjsua.PjsuaPhone; at most four calls at once (compiled into the wheel).
"""

from __future__ import annotations

import json
import os
import select
import sys
import time

import pjsua2 as pj

OUT = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(2, 1)  # the library prints to stdout


def say(event: str, **fields: object) -> None:
    OUT.write(json.dumps({"event": event, "t": time.time(), **fields}) + "\n")
    OUT.flush()


class PhoneCall(pj.Call):
    def __init__(self, phone: Phone, call_id: int = pj.PJSUA_INVALID_ID) -> None:
        super().__init__(phone, call_id)
        self.phone = phone
        self.player: pj.AudioMediaPlayer | None = None
        self.recorder: pj.AudioMediaRecorder | None = None
        self.name = f"c{phone.count}"
        phone.count += 1

    def onCallState(self, prm: pj.OnCallStateParam) -> None:
        info = self.getInfo()
        say("state", call=self.name, state=info.stateText, code=info.lastStatusCode, reason=info.lastReason)
        if info.state == pj.PJSIP_INV_STATE_DISCONNECTED:
            self.phone.gone.append(self.name)

    def onCallMediaState(self, prm: pj.OnCallMediaStateParam) -> None:
        info = self.getInfo()
        for index, media in enumerate(info.media):
            if media.type == pj.PJMEDIA_TYPE_AUDIO:
                say("media", call=self.name, status=media.status)
                if media.status in (pj.PJSUA_CALL_MEDIA_ACTIVE, pj.PJSUA_CALL_MEDIA_REMOTE_HOLD):
                    audio = self.getAudioMedia(index)
                    if self.recorder is None and self.phone.hear:
                        self.recorder = pj.AudioMediaRecorder()
                        self.recorder.createRecorder(self.phone.hear)
                        say("recording", call=self.name)
                    if self.recorder is not None:
                        audio.startTransmit(self.recorder)
                    if self.player is None and self.phone.speak:
                        self.player = pj.AudioMediaPlayer()
                        self.player.createPlayer(self.phone.speak, 0)
                    if self.player is not None:
                        self.player.startTransmit(audio)

    def onDtmfDigit(self, prm: pj.OnDtmfDigitParam) -> None:
        say("dtmf", call=self.name, digit=prm.digit)

    def onCallTransferStatus(self, prm: pj.OnCallTransferStatusParam) -> None:
        say("transfer", call=self.name, code=prm.statusCode, final=prm.finalNotify)


class Phone(pj.Account):
    def __init__(self, options: dict[str, object]) -> None:
        super().__init__()
        self.options = options
        self.speak = str(options.get("speak", ""))
        self.hear = str(options.get("hear", ""))
        self.auto = options.get("auto")
        self.calls: dict[str, PhoneCall] = {}
        self.gone: list[str] = []
        self.count = 0

    def onRegState(self, prm: pj.OnRegStateParam) -> None:
        say("registered" if self.getInfo().regIsActive else "unregistered", code=prm.code)

    def onIncomingCall(self, prm: pj.OnIncomingCallParam) -> None:
        call = PhoneCall(self, prm.callId)
        self.calls[call.name] = call
        info = call.getInfo()
        say("incoming", call=call.name, remote=info.remoteUri, local=info.localUri, message=prm.rdata.wholeMsg)
        if self.auto == "ring":
            self._answer(call, 180)
        elif isinstance(self.auto, int):
            self._answer(call, self.auto)

    @staticmethod
    def _answer(call: PhoneCall, code: int) -> None:
        prm = pj.CallOpParam()
        prm.statusCode = code
        call.answer(prm)

    def command(self, order: dict[str, object]) -> None:
        kind, name = order["do"], str(order.get("call", ""))
        prm = pj.CallOpParam(True)
        if kind == "call":
            call = PhoneCall(self)
            self.calls[call.name] = call
            prm.opt.audioCount, prm.opt.videoCount = 1, 0
            for header, value in dict(order.get("headers", {})).items():  # type: ignore[call-overload]
                extra = pj.SipHeader()
                extra.hName, extra.hValue = header, value
                prm.txOption.headers.append(extra)
            call.makeCall(str(order["uri"]), prm)
            say("calling", call=call.name)
        elif kind == "answer":
            self._answer(self.calls[name], int(order.get("code", 200)))  # type: ignore[call-overload]
        elif kind == "hangup":
            prm.statusCode = int(order.get("code", 0))  # type: ignore[call-overload]
            self.calls[name].hangup(prm)
        elif kind == "dtmf":
            self.calls[name].dialDtmf(str(order["digits"]))
        elif kind == "hold":
            self.calls[name].setHold(prm)
        elif kind == "unhold":
            prm.opt.flag = pj.PJSUA_CALL_UNHOLD
            self.calls[name].reinvite(prm)
        elif kind == "transfer":
            self.calls[name].xfer(str(order["uri"]), prm)
        elif kind == "transfer_replaces":
            self.calls[name].xferReplaces(self.calls[str(order["other"])], prm)
        elif kind == "unregister":
            self.setRegistration(False)


def main() -> None:
    options = json.loads(sys.argv[1])
    endpoint = pj.Endpoint()
    endpoint.libCreate()
    config = pj.EpConfig()
    config.logConfig.level = config.logConfig.consoleLevel = int(options.get("log", 0))
    config.uaConfig.threadCnt = 0
    config.uaConfig.mainThreadOnly = True
    config.uaConfig.userAgent = "vats-test-phone"
    config.medConfig.noVad = True
    config.medConfig.clockRate = config.medConfig.sndClockRate = 8000
    config.medConfig.ecTailLen = 0
    endpoint.libInit(config)
    transport = pj.TransportConfig()
    transport.port = int(options.get("port", 0))
    transport.boundAddress = str(options.get("address", ""))
    kind = pj.PJSIP_TRANSPORT_TCP if options.get("transport") == "tcp" else pj.PJSIP_TRANSPORT_UDP
    endpoint.transportCreate(kind, transport)
    endpoint.libStart()
    endpoint.audDevManager().setNullDev()
    for codec in endpoint.codecEnum2():
        endpoint.codecSetPriority(codec.codecId, 200 if codec.codecId.startswith(str(options.get("codec", "PCMA"))) else 0)
    account = pj.AccountConfig()
    account.idUri = str(options["id"])
    account.mediaConfig.transportConfig.boundAddress = str(options.get("address", ""))
    account.mediaConfig.transportConfig.port = int(options.get("rtp_port", 0))
    if options.get("registrar"):
        account.regConfig.registrarUri = str(options["registrar"])
        account.regConfig.timeoutSec = int(options.get("expires", 300))
        account.regConfig.retryIntervalSec = 0
    if options.get("login"):
        account.sipConfig.authCreds.append(pj.AuthCredInfo("digest", "*", str(options["login"]), 0, str(options["password"])))
    if options.get("naive"):
        account.natConfig.contactRewriteUse = account.natConfig.viaRewriteUse = account.natConfig.sdpNatRewriteUse = 0
    if options.get("proxy"):
        account.sipConfig.proxies.append(str(options["proxy"]))
    phone = Phone(options)
    phone.create(account)
    say("ready")
    buffered = b""
    alive = True
    while alive:
        endpoint.libHandleEvents(5)
        for name in phone.gone:
            call = phone.calls.pop(name, None)
            if call is not None:
                call.player = call.recorder = None  # closes the recording's file
                say("over", call=name)
                del call
        phone.gone.clear()
        readable, _, _ = select.select([0], [], [], 0)
        if readable:
            data = os.read(0, 65536)
            if not data:
                break
            buffered += data
            *lines, buffered = buffered.split(b"\n")
            for line in lines:
                order = json.loads(line)
                if order["do"] == "quit":
                    alive = False
                    continue
                try:
                    phone.command(order)
                except (pj.Error, KeyError) as error:
                    say("failed", order=order["do"], why=str(getattr(error, "reason", error)))
    for call in phone.calls.values():
        call.player = call.recorder = None
    endpoint.hangupAllCalls()
    say("bye")
    os._exit(0)  # the library's own tear-down may abort


if __name__ == "__main__":
    main()
