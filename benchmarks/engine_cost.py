# SPDX-License-Identifier: Apache-2.0
"""What a call costs the real engine process: CPU of a menu call up to its CDR in the database, memory of a live call.

`python -m benchmarks.engine_cost [--quick]`. The whole product runs (all roles, SQLite), on the fake event socket of
`benchmarks.esl_feeder`: park, claim, rules, menu, answer, file, key 1, hang up, CDR with legs and trace written.
"""

import argparse
import asyncio
import json
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.esl_clients import control
from benchmarks.esl_parts import switch_process
from benchmarks.pbx_process import PbxProcess

GOAL_CPU_MS = 2.0
GOAL_KIB = 20.0
AT_ONCE = 100


def cpu(quick: bool) -> dict[str, Any]:
    """CPU ms a menu call, to the last hang-up and to the last CDR; calls a second of the engine when nothing else limits it."""
    count = 1_000 if quick else 5_000
    with tempfile.TemporaryDirectory() as folder, switch_process() as port, PbxProcess(Path(folder) / "pbx", port) as pbx:
        asyncio.run(control(port, f"calls 200 {AT_ONCE} menu"))
        before, began = pbx.ask("drain"), time.perf_counter()
        asyncio.run(control(port, f"calls {count} {AT_ONCE} menu"))
        wall = time.perf_counter() - began
        after = pbx.ask("stat")
        written = pbx.ask("drain")
        errors = pbx.errors()
    assert written["records"] - before["records"] == count, (before, written)
    ms = 1000 * (written["cpu"] - before["cpu"]) / count
    return {
        "calls": count,
        "ms": round(ms, 3),
        "ms_until_hung_up": round(1000 * (after["cpu"] - before["cpu"]) / count, 3),
        "per_second": round(count / wall),
        "goal": GOAL_CPU_MS,
        "reached": ms <= GOAL_CPU_MS,
        "log_lines": len(errors),
    }


def memory(quick: bool) -> dict[str, Any]:
    """KiB of one more live call in the menu, from 100 to 1,000 calls: resident memory, and what Python counts."""
    found: dict[str, float] = {}
    for kind, begin in (("resident", "stat"),) if quick else (("resident", "stat"), ("traced", "trace")):
        with tempfile.TemporaryDirectory() as folder, switch_process() as port, PbxProcess(Path(folder) / "pbx", port) as pbx:
            asyncio.run(control(port, f"calls 200 {AT_ONCE} menu"))  # what is loaded once is loaded now
            pbx.ask("drain")
            pbx.ask(begin)
            low = held(pbx, port, 100, 100)
            high = held(pbx, port, 900, 1_000)
            field = "rss_kib" if kind == "resident" else "traced_kib"
            found[kind] = round((high[field] - low[field]) / (high["calls"] - low["calls"]), 1)
            asyncio.run(control(port, "press"))
    return {"kib": found["resident"], "traced_kib": found.get("traced"), "goal": GOAL_KIB, "reached": found["resident"] <= GOAL_KIB}


def held(pbx: PbxProcess, port: int, more: int, wanted: int) -> dict[str, Any]:
    """Start calls and wait until all hear the menu's file and are journalled."""
    asyncio.run(control(port, f"hold {more}"))
    found = pbx.ask("stat")
    until = time.monotonic() + 10
    while found["calls"] != wanted and time.monotonic() < until:
        time.sleep(0.1)
        found = pbx.ask("stat")
    assert found["calls"] == wanted, found
    time.sleep(1.0)  # the live view has written its rows
    return pbx.ask("stat")


def run(quick: bool) -> dict[str, Any]:
    """Keys: cpu (ms, ms_until_hung_up, per_second, goal, reached), memory (kib, traced_kib, goal, reached)."""
    return {"cpu": cpu(quick), "memory": memory(quick)}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    print(json.dumps(run(parser.parse_args().quick), indent=2))
