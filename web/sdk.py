# SPDX-License-Identifier: Apache-2.0
"""What plugins use to show themselves in the cabinet: `plugins/<id>/web.py` imports from here and from `engine.sdk` only.

A page's handler is `async def handler(visit: Visit) -> http.StreamResponse`; GET and POST of one form are two Pages with one
handler. A page named like an element's kind ("groups.group", with {id} in its path) is where tree, where-used lists and traces
link to. Templates lie in `plugins/<id>/templates/` and are called "<id>/name.html"; they extend "base.html".
"""

from aiohttp import web as http

from engine.sdk import Line, sentence, timeline
from web.confirm import Nothing, confirm
from web.files import media_file
from web.forms import Form, read_field
from web.mailboxes import MailForm, NoticeForm, by_owner, chat_choices, notice_choices, owner_choices
from web.pages.members import member_values
from web.picker import Option, OptionGroup, check_choice, elements, targets, timezones, zone_title
from web.tables import Rows, by_days_and_number, page_of
from web.visit import Visit

__all__ = [
    "Form",
    "Line",
    "MailForm",
    "Nothing",
    "NoticeForm",
    "Option",
    "OptionGroup",
    "Rows",
    "Visit",
    "by_days_and_number",
    "by_owner",
    "chat_choices",
    "check_choice",
    "confirm",
    "elements",
    "http",
    "media_file",
    "member_values",
    "notice_choices",
    "owner_choices",
    "page_of",
    "read_field",
    "sentence",
    "targets",
    "timeline",
    "timezones",
    "zone_title",
]
