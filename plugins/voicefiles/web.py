# SPDX-License-Identifier: Apache-2.0
"""Pages of voice files (DIR-2): list with players, upload, speech from text, rename, delete."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from engine.sdk import N_, Page, Problem, synthesizer
from plugins.voicefiles import service
from plugins.voicefiles.part import VoiceFile, VoicefilesPart
from web.sdk import Form, Nothing, Visit, confirm, http, media_file


class UploadForm(msgspec.Struct, frozen=True):
    title: Annotated[str, Meta(max_length=200)] = ""
    file: str = ""


class SpeechForm(msgspec.Struct, frozen=True):
    title: Annotated[str, Meta(min_length=1, max_length=200)]
    text: Annotated[str, Meta(min_length=1, max_length=2000)]


class TitleForm(msgspec.Struct, frozen=True):
    title: Annotated[str, Meta(min_length=1, max_length=200)]


async def files(visit: Visit) -> http.Response:
    upload, speech = Form(visit, UploadForm, name="upload"), Form(visit, SpeechForm, name="speech")
    if visit.is_post:
        for form in (upload, speech):
            if form.sent:
                with form.saving():
                    title = await _add(visit, form)
                    return visit.go(visit.url("voicefiles.list"), message=visit.t("The voice file “{title}” is added.", title=title))
    part = visit.snapshot.part("voicefiles", VoicefilesPart)
    found = sorted(part.files, key=lambda f: f.title.casefold()) if part else []
    status = next((f.status for f in (upload, speech) if not f.ok), 200)
    return visit.render("voicefiles/files.html", status=status, files=found, upload=upload, speech=speech, speaks=synthesizer() is not None)


async def _add(visit: Visit, form: Form[UploadForm] | Form[SpeechForm]) -> str:
    """The slow part, conversion or speech, comes before the edit, so that no transaction waits for it."""
    wish = form.read()
    if isinstance(wish, SpeechForm):
        made = await service.speak_text(visit.ctx, visit.account_id, wish.text)
        title = wish.title
    else:
        sent = visit.posted.get("file")
        if not isinstance(sent, http.FileField) or not sent.filename:
            raise Problem("file", "Choose a file.")
        made = await service.convert_upload(visit.ctx, visit.account_id, sent.file.read())
        title = wish.title or sent.filename.rpartition(".")[0][:200] or sent.filename[:200]
    async with visit.ctx.edit(visit.account_id, visit.actor) as edit:
        await service.add_file(edit, made, title)
    return title


async def file(visit: Visit) -> http.Response:
    element = visit.element(VoiceFile)
    form = Form(visit, TitleForm, element)
    if visit.is_post:
        with form.saving():
            wish = form.read()
            async with visit.edit() as edit:
                await service.rename_file(edit, element.id, wish.title)
            return visit.go(visit.url("voicefiles.list"), message=visit.t("Saved."))
    return visit.render("voicefiles/file.html", status=form.status, form=form, element=element)


async def sound(visit: Visit) -> http.StreamResponse:
    element = visit.element(VoiceFile)
    return media_file(visit, element.path, download_as=f"{element.title}.wav" if visit.query.get("download") else "")


async def delete_file(visit: Visit) -> http.Response:
    element = visit.element(VoiceFile)
    form = Form(visit, Nothing)
    if visit.is_post:
        with form.saving():
            async with visit.edit() as edit:
                await service.delete_file(edit, element.id)
            return visit.go(visit.url("voicefiles.list"), message=visit.t("“{title}” is deleted.", title=element.title))
    question = visit.t("Delete the voice file “{title}”?", title=element.title)
    return confirm(visit, question, back=visit.url("voicefiles.list"), form=form, of=element.ref)


PAGES = (
    Page("GET", "/voice-files", files, "admin", name="voicefiles.list", menu=N_("Voice files"), menu_section="directories", icon="sound"),
    Page("POST", "/voice-files", files, "admin"),
    Page("GET", "/voice-files/{id}", file, "admin", name=VoiceFile.kind),
    Page("POST", "/voice-files/{id}", file, "admin"),
    Page("GET", "/voice-files/{id}/sound", sound, "admin", name="voicefiles.sound"),
    Page("GET", "/voice-files/{id}/delete", delete_file, "admin", name="voicefiles.delete"),
    Page("POST", "/voice-files/{id}/delete", delete_file, "admin"),
)
