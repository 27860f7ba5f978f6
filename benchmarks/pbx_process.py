# SPDX-License-Identifier: Apache-2.0
"""The real engine as a process of its own with one menu behind one number: `python -m benchmarks.pbx_process FOLDER [PORT]`.

With PORT it drives the event socket there, else its own embedded switch. It prints its ports as JSON, then answers each line
on its standard input with a line of JSON: `stat`, `lag`, `trace` (count memory by tracemalloc from here on), `drain`, `quit`.
`PbxProcess` is the side of the benchmarks.
"""

import asyncio
import ctypes
import gc
import json
import os
import signal
import subprocess
import sys
import time
import tracemalloc
import wave
from array import array
from pathlib import Path
from typing import Any

from benchmarks.esl_parts import PASSWORD, ROOT
from engine import log as logs
from engine.cli.accounts import ACTOR, open_account
from engine.db import models
from engine.routing.basic import HANGUP
from engine.runtime import Runtime
from engine.settings import ALL_ROLES, Core, Directory, Settings, Switch, Web
from plugins.ivr.part import Menu, MenuKey
from plugins.ivr.service import store as menus
from plugins.numbers.part import Rule
from plugins.numbers.service import store as rules
from plugins.voicefiles.part import VoiceFile
from plugins.voicefiles.service import store as files

DID = "+74951234567"
PROMPT_SECONDS = 120


def settings_of(folder: Path, port: int) -> Settings:
    address = "127.0.0.1"
    switch = Switch(
        kind="freeswitch" if port else "embedded", esl_host=address, esl_port=port, esl_password=PASSWORD if port else "",
        sip_host=address, sip_port=0, trunk_port=0, rtp_first_port=0, rtp_last_port=0,
    )  # fmt: skip
    return Settings(
        core=Core(state=str(folder), default_account="100", log_level="WARNING"),
        switch=switch,
        directory=Directory(host=address, port=0, secret=PASSWORD if port else ""),
        web=Web(host=address, port=0),
    )


def write_prompt(path: Path, seconds: float) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = array("h", [(n * 37) % 4000 - 2000 for n in range(int(8000 * seconds))])
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(samples.tobytes())


async def furnish(settings: Settings) -> None:
    """An account whose number leads into a menu: a long file, key 1 hangs up."""
    runtime = Runtime(settings, ())
    try:
        await runtime.open()
        account, _, _ = await open_account(runtime, "100", "Benchmark", "bench.example", "owner", area_code="495")
        root = runtime.ctx.snapshot(account).root
        assert root is not None
        write_prompt(settings.media_root / "voice" / "menu.wav", PROMPT_SECONDS)
        async with runtime.ctx.edit(account, ACTOR) as edit:
            tx = edit.tx
            trunk = await models.Trunk.create(account_id=account, title="Provider", registers=False, sources=["127.0.0.0/8"], using_db=tx)
            did = await models.Did.create(account_id=account, number=DID, title="Main", trunk_id=trunk.id, connected=1, using_db=tx)
            file = await files.insert(account, VoiceFile(id=0, title="Menu", path="voice/menu.wav"), tx)
            menu = Menu(id=0, title="Menu", parent=root.ref, file=file.ref, keys=(MenuKey("1", HANGUP),))
            menu = await menus.insert(account, menu, tx)
        async with runtime.ctx.edit(account, ACTOR) as edit:
            ref = runtime.ctx.snapshot(account).core.dids[0].ref
            assert ref.id == did.id
            await rules.insert(account, Rule(id=0, title="All", did=ref, target=menu.ref), edit.tx)
    finally:
        await runtime.close()


def resident_kib() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


class Lag:
    """How late the event loop wakes a task that sleeps 5 ms: what a call may have to wait."""

    def __init__(self) -> None:
        self.late_ms: list[float] = []

    async def watch(self) -> None:
        while True:
            asked = time.perf_counter()
            await asyncio.sleep(0.005)
            self.late_ms.append((time.perf_counter() - asked - 0.005) * 1000)

    def report(self) -> dict[str, float]:
        """Since the last report."""
        late, self.late_ms = sorted(self.late_ms), []
        if not late:
            return {}
        return {"p50": round(late[len(late) // 2], 1), "p99": round(late[int(len(late) * 0.99)], 1), "max": round(late[-1], 1)}


async def answer(runtime: Runtime, line: str, lag: Lag) -> dict[str, Any]:
    engine = runtime.engine
    assert engine is not None
    lag_ms = lag.report()
    if line == "trace":
        tracemalloc.start()
    elif line == "drain":
        async with asyncio.timeout(120), runtime.ctx.doorbell.listen("calls") as written:
            while engine.journal.spool.behind:
                await written.wait(0.2)
    if line != "lag":
        gc.collect()
        ctypes.CDLL(None).malloc_trim(0)  # what is free but not given back would hide behind the calls
    return {
        "cpu": time.process_time(),
        "rss_kib": resident_kib(),
        "traced_kib": tracemalloc.get_traced_memory()[0] / 1024 if tracemalloc.is_tracing() else None,
        "calls": len(engine.node.calls),
        "records": await models.CallRecord.all().count() if line == "drain" else None,
        "lag_ms": lag_ms,
    }


async def serve(runtime: Runtime) -> None:
    """Answer the benchmark's questions until it says `quit` or closes the pipe."""
    assert runtime.engine is not None
    async with asyncio.timeout(30):
        await runtime.engine.connected.wait()
    ready = runtime.switch.ready if runtime.switch else None
    said = {"pid": os.getpid(), "trunk_port": ready.trunk_port if ready else 0, "switch_pid": ready.pid if ready else 0}
    print(json.dumps(said), flush=True)
    lag = Lag()
    watching = asyncio.create_task(lag.watch())
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    try:
        while (line := (await reader.readline()).decode().strip()) not in ("", "quit"):
            print(json.dumps(await answer(runtime, line, lag)), flush=True)
    finally:
        watching.cancel()
        os.kill(os.getpid(), signal.SIGTERM)


async def main(folder: Path, port: int) -> None:
    settings = settings_of(folder, port)
    await furnish(settings)
    tasks: list[asyncio.Task[None]] = []
    runtime = Runtime(settings, ALL_ROLES)
    await runtime.run_until_stopped(stop_switch=True, started=lambda running: tasks.append(asyncio.create_task(serve(running))))


class PbxProcess:
    """The engine's process, as a context manager."""

    def __init__(self, folder: Path, port: int = 0) -> None:
        script = [sys.executable, "-m", "benchmarks.pbx_process", str(folder), str(port)]
        self.log = folder.with_name(folder.name + ".err")
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(script, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True)
        self.ready: dict[str, int] = {}

    def __enter__(self) -> "PbxProcess":
        self.ready = self._line()
        return self

    def __exit__(self, *error: object) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def ask(self, line: str) -> dict[str, Any]:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self._line()

    def _line(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        text = self.process.stdout.readline()
        if not text:
            raise RuntimeError(f"the engine has ended:\n{self.log.read_text()[-3000:]}")
        found: dict[str, Any] = json.loads(text)
        return found

    def errors(self) -> list[str]:
        """Lines of its log from WARNING on."""
        return self.log.read_text("utf-8", "replace").splitlines()


if __name__ == "__main__":
    logs.setup("WARNING", "human")
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0))
