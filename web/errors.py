# SPDX-License-Identifier: Apache-2.0
"""The HTTP edge: every refusal and every failure becomes a page in the visitor's language."""

from __future__ import annotations

import logging
import secrets
from typing import TYPE_CHECKING

from aiohttp import web as http
from aiohttp.typedefs import Handler, Middleware

from engine.sdk import N_, Conflict, Forbidden, InUse, NotFound, Page, Refused
from web.host import VISIT
from web.visit import Visit

if TYPE_CHECKING:
    from web.host import Host

log = logging.getLogger(__name__)

_TITLES: dict[int, str] = {
    400: N_("This can’t be done"),
    403: N_("No access"),
    404: N_("Not found"),
    405: N_("This can’t be done"),
    409: N_("Changed meanwhile"),
    413: N_("Too large"),
    500: N_("Something went wrong"),
}


OF_THE_ENGINE = (
    N_("Not found."),
    N_("You have no right to do this."),
    N_("Somebody else has changed this meanwhile. Reload the page and try again."),
    N_("“{title}” is used by: {places}."),
    N_("Please correct the marked fields."),
)
"""Sentences that engine.errors, which knows no catalogues, gives by itself; named here to be translated."""


def status_of(refused: Refused) -> int:
    match refused:
        case NotFound():
            return 404
        case Forbidden():
            return 403
        case Conflict() | InUse():
            return 409
        case _:
            return 400


def error_pages(host: Host) -> Middleware:
    @http.middleware
    async def middleware(request: http.Request, handler: Handler) -> http.StreamResponse:
        try:
            return await handler(request)
        except Refused as refused:
            visit = await _visit(host, request)
            return _page(visit, status_of(refused), visit.tell(refused))
        except http.HTTPException as error:
            if error.status < 400:
                raise
            visit = await _visit(host, request)
            return _page(
                visit,
                error.status,
                visit.t("There is no such page.") if error.status == 404 else visit.t("The server can’t answer this request."),
            )
        except ConnectionResetError:
            raise  # the browser has left; there is nobody to answer
        except Exception:  # the one guard of the HTTP edge: the visitor gets a page with a number to name
            number = secrets.token_hex(4)
            log.exception("request %s %s failed (%s)", request.method, request.path, number)
            visit = await _visit(host, request)
            return _page(
                visit,
                500,
                visit.t("The failure is logged under the number {number}. Try again; if it stays, tell the operator.", number=number),
            )

    return middleware


async def _visit(host: Host, request: http.Request) -> Visit:
    """The visit the host made, or one for addresses no page answers."""
    visit = request.get(VISIT)
    return visit if visit is not None else await host.arrive(request, Page("GET", request.path, _nobody, "anyone"))


async def _nobody(visit: Visit) -> http.Response:
    raise http.HTTPNotFound


def _page(visit: Visit, status: int, text: str) -> http.Response:
    title = visit.t(_TITLES.get(status, _TITLES[400 if status < 500 else 500]))
    if "application/json" in visit.request.headers.get("Accept", ""):
        return http.json_response({"title": title, "message": text}, status=status)
    return visit.render("error.html", status=status, title=title, text=text)
