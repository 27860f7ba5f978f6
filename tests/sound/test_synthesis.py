# SPDX-License-Identifier: Apache-2.0
"""Speech from text, with a program of the test's own in the place of the synthesiser."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.errors import Refused
from engine.sound import synthesis


@pytest.fixture
def speaks_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the program on the path writes its process id."""
    program, pid = tmp_path / "bin" / "text2wave", tmp_path / "pid"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\necho $$ > '{pid}'\nexec sleep 600\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    return pid


async def test_a_synthesiser_that_hangs_is_ended(speaks_for_ever: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synthesis, "SPEECH_LIMIT_SECONDS", 2)
    with pytest.raises(Refused, match="took too long"):
        await synthesis.speak("Здравствуйте", tmp_path / "made.wav")
    with pytest.raises(ProcessLookupError):
        os.kill(int(speaks_for_ever.read_text()), 0)
    assert not (tmp_path / "made.wav").exists()
