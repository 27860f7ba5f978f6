# SPDX-License-Identifier: Apache-2.0
"""Event intake: events a second with dispatch into per-call handlers, against genesis and against framing alone.

`python -m benchmarks.esl_intake [--quick]`; `run(quick)` returns the figures and is what `make bench` calls. Every side is a
process that takes the same 2.4 kB events from the same server; the rounds of the sides alternate and their medians count.
"""

import argparse
import json
import sys
from typing import Any

from benchmarks.esl_parts import client, genesis_python, medians, switch_process

GOAL = 12.0
"""Times genesis."""


def run(quick: bool) -> dict[str, Any]:
    """Keys: vats, vats_cold (a header decoded on demand is read from every event), split, genesis: each with per_second and
    cpu_us an event; ratio (to genesis by wall clock), ratio_cpu, ratio_cold, of_split; goal, reached."""
    ours, theirs, rounds = (20_000, 3_000, 1) if quick else (200_000, 20_000, 3)
    python, reason = genesis_python()
    found: dict[str, list[dict[str, Any]]] = {}
    with switch_process() as port:
        for _ in range(rounds):
            for side, role in (("vats", "events"), ("split", "split"), ("vats_cold", "events-cold")):
                result = client(sys.executable, ["-m", "benchmarks.esl_clients", role, str(port), str(ours)])
                found.setdefault(side, []).append(result)
            if python:
                found.setdefault("genesis", []).append(
                    client(python, ["benchmarks/esl_genesis.py", "events", str(port), str(theirs)])
                )
    sides: dict[str, Any] = {side: medians(results) for side, results in found.items()}
    sides["of_split"] = round(sides["vats"]["per_second"] / sides["split"]["per_second"], 2)
    if not python:
        return {**sides, "genesis": None, "reason": reason, "goal": GOAL, "reached": None}
    ratio = sides["vats"]["per_second"] / sides["genesis"]["per_second"]
    return {
        **sides,
        "ratio": round(ratio, 1),
        "ratio_cpu": round(sides["genesis"]["cpu_us"] / sides["vats"]["cpu_us"], 1),
        "ratio_cold": round(sides["vats_cold"]["per_second"] / sides["genesis"]["per_second"], 1),
        "goal": GOAL,
        "reached": ratio >= GOAL,
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round: does it run, roughly how fast")
    print(json.dumps(run(parser.parse_args().quick), indent=2))
