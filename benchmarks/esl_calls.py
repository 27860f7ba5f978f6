# SPDX-License-Identifier: Apache-2.0
"""Calls controlled a second (park, answer, one sound, hang up) over one inbound connection, against a genesis controller.

`python -m benchmarks.esl_calls [--quick]`; `run(quick)` returns the figures and is what `make bench` calls. Our side is
measured three times: the least there can be on a Switch, the engine's own call code, and the same serving a menu.
"""

import argparse
import json
import sys
from typing import Any

from benchmarks.esl_parts import client, genesis_python, medians, switch_process

GOAL = 5.0
"""Times genesis."""
CONTROLLERS = {
    "minimal": ("benchmarks.esl_clients:MinimalController", "plain"),
    "engine": ("benchmarks.engine_controller:SoundController", "plain"),
    "engine_menu": ("benchmarks.engine_controller:MenuController", "menu"),
}
"""Our sides: class and script of the feeder. `engine` does what the rival does, with the product's call code."""


def run(quick: bool) -> dict[str, Any]:
    """Keys: minimal, engine, engine_menu, genesis: each with per_second (calls) and cpu_us a call; ratios (to genesis) of ours;
    ratio (of `engine`), goal, reached."""
    theirs, rounds, at_once = (500, 1, 100) if quick else (4_000, 3, 200)
    python, reason = genesis_python()
    found: dict[str, list[dict[str, Any]]] = {}
    for _ in range(rounds):
        for side, (controller, script) in CONTROLLERS.items():
            ours = (20_000 if side == "minimal" else 8_000) // (8 if quick else 1)
            with switch_process() as port:
                arguments = ["-m", "benchmarks.esl_clients", "calls", str(port), str(ours), str(at_once), controller, script]
                found.setdefault(side, []).append(client(sys.executable, arguments))
        if python:
            with switch_process() as port:
                arguments = ["benchmarks/esl_genesis.py", "calls", str(port), str(theirs), str(at_once)]
                found.setdefault("genesis", []).append(client(python, arguments))
    sides: dict[str, Any] = {side: medians(results) for side, results in found.items()}
    if not python:
        return {**sides, "genesis": None, "reason": reason, "goal": GOAL, "reached": None}
    rival = sides["genesis"]["per_second"]
    ratios = {side: round(sides[side]["per_second"] / rival, 1) for side in CONTROLLERS}
    return {**sides, "ratios": ratios, "ratio": ratios["engine"], "goal": GOAL, "reached": ratios["engine"] >= GOAL}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round: does it run, roughly how fast")
    print(json.dumps(run(parser.parse_args().quick), indent=2))
