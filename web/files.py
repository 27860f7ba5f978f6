# SPDX-License-Identifier: Apache-2.0
"""Files of the media root for players and downloads: byte ranges for seeking, never a path outside."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

from aiohttp import web as http

from engine.sdk import NotFound
from web.visit import Visit

_TYPES = {
    ".wav": "audio/wav",
    ".mp3": "audio/mpeg",
    ".ogg": "audio/ogg",
    ".opus": "audio/ogg",
    ".pdf": "application/pdf",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
}


def media_file(visit: Visit, path: str, *, download_as: str = "") -> http.FileResponse:
    """The file at `path` (relative to the media root), seekable; NotFound when it is gone or would lie elsewhere."""
    root = visit.ctx.settings.media_root.resolve()
    full = (root / path).resolve()
    if not full.is_relative_to(root) or not full.is_file() or full.suffix.lower() not in _TYPES:
        raise NotFound("The file is no longer there.")
    response = http.FileResponse(full, headers={"Content-Type": _TYPES[full.suffix.lower()], "Cache-Control": "private, max-age=3600"})
    if download_as:
        name = Path(download_as).name
        response.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(name)}"
    return response
