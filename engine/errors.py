# SPDX-License-Identifier: Apache-2.0
"""The errors that cross the borders of the engine's parts; hosts turn them into sentences, calls turn them into phrases.

Parts have subclasses and errors of their own beside these: the embedded switch, the event socket, the outbox, the command line.

VatsError
├── SettingsError        the configuration can't be used; stops the start with one sentence
├── PluginError          a plugin breaks the contract
├── SwitchError          the switch refused or is away
├── Refused              a user's wish that can't be granted: shown to him in his language
│   ├── Invalid          some fields of a form or document are wrong; names them
│   ├── NotFound         no such object in this account (or it belongs to another one)
│   ├── Forbidden        the role lacks the right
│   ├── Conflict         somebody else changed it meanwhile (what: engine.revisions.clash)
│   └── InUse            something points at it
├── CallGone             the served party has left; raised by `Call.next` only
├── Recalled             who has sent the served party on by a code wants it back; raised by `Call.next` only (R20)
└── WaitsForEver         a rehearsed call that would never end; raised by the rehearsed `Call.next` only
    └── GoesRound        it has waited more often, or longer, than any caller would
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence


class VatsError(Exception):
    """Base of what is raised on purpose for others to tell."""


class SettingsError(VatsError):
    """The configuration can't be used; the message is one sentence for the operator."""


class PluginError(VatsError):
    """A plugin breaks the contract or could not start."""


class SwitchError(VatsError):
    """The switch refused a command or is not connected."""


class Refused(VatsError):  # noqa: N818 — a wish, not a failure
    """A user's wish that can't be granted.

    `message` is a catalogue id (English sentence); `params` fill its {named} places after translation.
    """

    def __init__(self, message: str, /, **params: object) -> None:
        super().__init__(message.format(**params) if params else message)
        self.message = message
        self.params: Mapping[str, object] = params


class Problem(Refused):
    """One wrong field of a form, or one finding of a check; `field` is a dotted path such as "contacts.0.number"."""

    def __init__(self, field: str, message: str, /, **params: object) -> None:
        super().__init__(message, **params)
        self.field = field


class Invalid(Refused):
    """Some fields are wrong; nothing was saved."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("Please correct the marked fields.")
        self.problems = tuple(problems)

    def __str__(self) -> str:
        return "; ".join(f"{p.field}: {p}" if p.field else str(p) for p in self.problems)


class NotFound(Refused):
    """No such object in this account; deliberately the same answer for another customer's object."""

    def __init__(self, message: str = "Not found.", /, **params: object) -> None:
        super().__init__(message, **params)


class Forbidden(Refused):
    """The user's role lacks the right."""

    def __init__(self, message: str = "You have no right to do this.", /, **params: object) -> None:
        super().__init__(message, **params)


class Conflict(Refused):
    """The configuration was changed by somebody else since it was read."""

    def __init__(self, message: str = "Somebody else has changed this meanwhile. Reload the page and try again.", /) -> None:
        super().__init__(message)


class InUse(Refused):
    """Something points at the element; `places` are titles of what does."""

    def __init__(self, title: str, places: Sequence[str]) -> None:
        super().__init__("“{title}” is used by: {places}.", title=title, places=", ".join(places))
        self.places = tuple(places)


class Recalled(VatsError):  # noqa: N818 — a wish of an employee
    """Who has sent the served party on by a code, and still listens, has typed the code that cancels it (R20).

    `left`: it is the other party that has hung up.
    """

    def __init__(self, *, left: bool = False) -> None:
        super().__init__("recalled")
        self.left = left


class CallGone(VatsError):  # noqa: N818 — a normal path of every call, not an error
    """The served party has left; raised by `Call.next` only."""


class WaitsForEver(VatsError):  # noqa: N818 — a finding, reported as such
    """The scenario waits without a limit, or goes round without an end: a dead end found by rehearsal."""


class GoesRound(WaitsForEver):
    """The scenario has used up its budget of steps or hours: it goes round in a circle."""
