# SPDX-License-Identifier: Apache-2.0
"""`make prompts`: speak every text of texts.toml into its WAV file."""

from __future__ import annotations

import asyncio
import sys
import tomllib

from engine.sound.prompts import FOLDER, melody
from engine.sound.synthesis import speak


async def main() -> None:
    texts = tomllib.loads((FOLDER / "texts.toml").read_text("utf-8"))
    for name, text in texts.items():
        await speak(text, FOLDER / f"{name}.wav")
        sys.stdout.write(f"{name}.wav\n")
    (FOLDER / "moh").mkdir(exist_ok=True)
    melody.write(FOLDER / "moh" / "hold.wav")


if __name__ == "__main__":
    asyncio.run(main())
