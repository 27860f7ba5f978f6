# SPDX-License-Identifier: Apache-2.0
"""Calls controlled a second (park, answer, one sound, hang up) over one inbound connection, against a genesis controller.

`python -m benchmarks.esl_calls [--quick] [--controller module:Class]`; `run(quick)` returns the figures and is what
`make bench` calls. The controller is any class like `benchmarks.esl_clients.Controller`.
"""

import argparse
import json
import sys
from typing import Any

from benchmarks.esl_parts import client, genesis_python, medians, switch_process

GOAL = 5.0
"""Times genesis."""
MINIMAL = "benchmarks.esl_clients:MinimalController"


def run(quick: bool, controller: str = MINIMAL) -> dict[str, Any]:
    """Keys: vats, genesis: each with per_second (calls) and cpu_us a call; ratio, ratio_cpu, goal, reached, controller."""
    ours, theirs, rounds, at_once = (4_000, 500, 1, 100) if quick else (40_000, 4_000, 3, 200)
    python, reason = genesis_python()
    found: dict[str, list[dict[str, Any]]] = {}
    with switch_process() as port:
        for _ in range(rounds):
            script = ["-m", "benchmarks.esl_clients", "calls", str(port), str(ours), str(at_once), controller]
            found.setdefault("vats", []).append(client(sys.executable, script))
            if python:
                script = ["benchmarks/esl_genesis.py", "calls", str(port), str(theirs), str(at_once)]
                found.setdefault("genesis", []).append(client(python, script))
    sides: dict[str, Any] = {side: medians(results) for side, results in found.items()}
    if not python:
        return {**sides, "genesis": None, "reason": reason, "goal": GOAL, "reached": None, "controller": controller}
    ratio = sides["vats"]["per_second"] / sides["genesis"]["per_second"]
    return {
        **sides,
        "ratio": round(ratio, 1),
        "ratio_cpu": round(sides["genesis"]["cpu_us"] / sides["vats"]["cpu_us"], 1),
        "goal": GOAL,
        "reached": ratio >= GOAL,
        "controller": controller,
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round: does it run, roughly how fast")
    parser.add_argument("--controller", default=MINIMAL, help="module:Class of the side that is measured")
    options = parser.parse_args()
    print(json.dumps(run(options.quick, options.controller), indent=2))
