# SPDX-License-Identifier: Apache-2.0
"""`python -m benchmarks [--quick]` = `make bench`: every benchmark in turn, one table of ratios against goals, JSON beside it.

The exit code says only whether they ran: goals are aims, not gates.
"""

import argparse
import json
import os
import platform
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import embedded_calls, engine_cost, esl_calls, esl_intake, large_pbx, routing, sip_lookup
from benchmarks.esl_parts import ROOT

Row = tuple[str, str, str, bool | None]
"""What, reached, goal, whether the goal is reached (None: cannot be said)."""


def intake(found: dict[str, Any]) -> list[Row]:
    ours = found["vats"]["per_second"]
    rows: list[Row] = []
    if found.get("genesis"):
        text = f"{found['ratio']:.1f}× (by CPU {found['ratio_cpu']:.1f}×)"
        rows.append(("event intake against genesis", text, f"≥ {found['goal']:.0f}×", found["reached"]))
    else:
        rows.append(("event intake against genesis", found["reason"], f"≥ {found['goal']:.0f}×", None))
    rows.append(("  against framing alone", f"{found['of_split']:.2f}× ({ours:,.0f} events/s)", "", None))
    return rows


def calls(found: dict[str, Any]) -> list[Row]:
    if not found.get("genesis"):
        return [("calls controlled a second against genesis", found["reason"], f"≥ {found['goal']:.0f}×", None)]
    named = (("minimal", "minimal controller on our Switch"), ("engine", "the engine's call code, rules, journal"),
             ("engine_menu", "the same, a menu with a key"))  # fmt: skip
    rows: list[Row] = [("calls controlled a second against genesis", "", "", None)]
    for side, title in named:
        ratio = found["ratios"][side]
        by_cpu = found["genesis"]["cpu_us"] / found[side]["cpu_us"]
        text = f"{ratio:.1f}× (by CPU {by_cpu:.1f}×; {found[side]['per_second']:,.0f}/s, {found[side]['cpu_us']:.0f} µs)"
        rows.append((f"  {title}", text, f"≥ {found['goal']:.0f}×", ratio >= found["goal"]))
    return rows


def cost(found: dict[str, Any]) -> list[Row]:
    cpu, memory = found["cpu"], found["memory"]
    text = f"{cpu['ms']:.2f} ms ({cpu['ms_until_hung_up']:.2f} to the hang-up)"
    return [
        ("engine CPU a menu call, CDR written", text, f"≤ {cpu['goal']:.0f} ms", cpu["reached"]),
        ("memory of a live call, 100 → 1,000", f"{memory['kib']:.1f} KiB", f"≤ {memory['goal']:.0f} KiB", memory["reached"]),
    ]


def decisions(found: dict[str, Any]) -> list[Row]:
    rules = found["decisions"]
    return [
        ("routing with 10,000 rules against 10", f"{rules['ratio']:.2f}×", f"≤ {rules['goal']:.0f}×", rules["reached"]),
        ("  10,000 rules of one number, each asked", f"{rules['ratios']['one_number']:.0f}×", "", None),
        ("rehearsals of a menu call", f"{found['rehearsals']['per_second']:,}/s", "", None),
    ]


def large(found: dict[str, Any]) -> list[Row]:
    call, check, save = found["call"], found["check"], found["save"]
    text = f"{check['seconds']} s ({check['cpu_seconds']} s of CPU), {check['stretch_ms']} ms at a stretch"
    goal = f"≤ {check['goal']:.0f} s, ≤ {check['goal_ms']:.0f} ms"
    return [
        ("500 users, 50 groups, 30 menus: a call routed", f"{call['us'] / 1000:.1f} ms ({call['per_second']:,} a second)", "", None),
        ("  its last 1,000 calls on two configurations", text, goal, check["reached"]),
        ("  its settings checked", f"{check['check_seconds']} s", "", None),
        ("  its snapshot after a save", f"{save['save_ms']:.0f} ms, of that read again {save['load_ms']:.0f} ms", "", None),
    ]


def look_up(found: dict[str, Any]) -> list[Row]:
    return [("SIP transaction look-up, 5,000 against 50", f"{found['ratio']:.2f}×", f"≤ {found['goal']:.0f}×", found["reached"])]


def prompts(found: dict[str, Any]) -> list[Row]:
    rows: list[Row] = [("prompts at once, late p99 ≤ 2 ms", f"{found['calls']} calls", f"≥ {found['goal']}", found["reached"])]
    for step in found["steps"]:
        late = step["late_ms"]
        text = f"p50 {late['p50']} p99 {late['p99']} max {late['max']} ms, core {step['switch_cpu_percent']:.0f} %"
        waited = f"waited {step['switch_waited_percent']:.1f} %"
        rows.append((f"  {step['live']} of {step['calls']} calls live", text, waited, None))
    return rows


def setups(found: dict[str, Any]) -> list[Row]:
    held = found["held"]
    rows: list[Row] = [("set-ups a second, nothing failed", f"{held['rate']}/s", f"≥ {found['goal']}/s", found["reached"])]
    for step in found["steps"]:
        text = f"INVITE→200 p50 {step['ms_p50']:.0f} p99 {step['ms_p99']:.0f} ms, failed {step['failed']} of {step['made']}"
        busy = f"switch {step['switch_cpu_percent']:.0f} % engine {step['engine_cpu_percent']:.0f} %"
        rows.append((f"  {step['rate']}/s for {step['seconds']} s", text, busy, None))
    return rows


BENCHMARKS: dict[str, tuple[Callable[[bool], dict[str, Any]], Callable[[dict[str, Any]], list[Row]]]] = {
    "intake": (esl_intake.run, intake),
    "calls": (esl_calls.run, calls),
    "engine": (engine_cost.run, cost),
    "routing": (routing.run, decisions),
    "large_pbx": (large_pbx.run, large),
    "look_up": (sip_lookup.run, look_up),
    "prompts": (embedded_calls.prompts, prompts),
    "setups": (embedded_calls.setups, setups),
}


def machine() -> dict[str, Any]:
    text = Path("/proc/cpuinfo").read_text("utf-8", "replace") if Path("/proc/cpuinfo").exists() else ""
    model = next((line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name")), platform.processor())
    return {
        "cpu": model, "cores": len(os.sched_getaffinity(0)), "python": platform.python_version(), "system": platform.platform(),
        "load": os.getloadavg(),
    }  # fmt: skip


def line(row: Row) -> str:
    what, reached, goal, ok = row
    return f"{what:44} {reached:58} {goal:26} {'' if ok is None else 'reached' if ok else 'not reached'}".rstrip()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="three minutes: does it run, roughly how fast")
    parser.add_argument("--only", action="append", choices=BENCHMARKS, help="this one (may be repeated)")
    parser.add_argument("--realtime", action="store_true", help=f"on a shared machine, as root: {embedded_calls.REALTIME}")
    options = parser.parse_args()
    embedded_calls.realtime = options.realtime
    began = time.monotonic()
    results: dict[str, Any] = {
        "at": datetime.now(UTC).isoformat(), "quick": options.quick, "realtime": options.realtime, "machine": machine(),
    }  # fmt: skip
    rows: list[Row] = []
    for name in options.only or BENCHMARKS:
        measure, shown = BENCHMARKS[name]
        print(f"[{time.monotonic() - began:4.0f} s] {name} …", flush=True)
        try:
            results[name] = measure(options.quick)
            rows += shown(results[name])
        except Exception as error:  # noqa: BLE001 - one that can't run here must not hide the others
            traceback.print_exc()
            results[name] = {"error": f"{type(error).__name__}: {error}"}
            rows.append((name, "did not run", f"{type(error).__name__}", None))
    results["seconds"] = round(time.monotonic() - began)
    folder = ROOT / "bench-results"
    folder.mkdir(exist_ok=True)
    path = folder / f"{datetime.now(UTC):%Y%m%d-%H%M%S}{'-quick' if options.quick else ''}.json"
    path.write_text(json.dumps(results, indent=2, ensure_ascii=False) + "\n", "utf-8")
    about = results["machine"]
    print(f"\n{about['cores']} × {about['cpu']}, Python {about['python']}, load {about['load'][0]:.1f} at the start")
    print(line(("", "reached", "goal", None)))
    for row in rows:
        print(line(row))
    print(f"{results['seconds']} s; {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
