# SPDX-License-Identifier: Apache-2.0
"""The demo account's voice files: built-in prompts under names of their own."""

from engine.sdk import Edit, prompt_seconds
from plugins.voicefiles.part import VoiceFile
from plugins.voicefiles.service import store

FILES = {
    "Приветствие": "prompts/demo-greeting.wav",
    "Главное меню": "prompts/demo-menu.wav",
    "Нерабочее время": "prompts/demo-closed.wav",
    "Отдел продаж": "prompts/demo-sales.wav",
    "Музыка": "moh/hold.wav",
}


async def fill(edit: Edit) -> None:
    for title, path in FILES.items():
        await store.insert(edit.account_id, VoiceFile(id=0, title=title, path=path, seconds=prompt_seconds(path)), edit.tx)
