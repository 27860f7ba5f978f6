# SPDX-License-Identifier: Apache-2.0
"""The trace of a call in words: a catalogue sentence for each `Step.what`, of the core here, of plugins by `Plugin.sentences`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

from engine.errors import PluginError
from engine.i18n import N_, format_hours, translate
from engine.numbering import pretty
from engine.plugin.contract import Sentence
from engine.rehearsal.findings import NOBODY, Unserved
from engine.rehearsal.precheck import Way
from engine.rehearsal.service import End, Rehearsal
from engine.routing.action import RoutingAction
from engine.snapshot import Ref, Snapshot, SoundElement

Words = Callable[..., str]
"""`Visit.t`, `partial(translate, "ru")`, or anything else that translates a catalogue id with parameters."""

SENTENCES: Final[Mapping[str, str]] = {
    "enters": N_("Goes to “{title}”"),
    "closed": N_("“{title}” takes no calls: {why}"),
    "answer": N_("The call is answered by the PBX"),
    "answered_to_hold_the_line": N_("The PBX answers the call, since the operator would cut an unanswered one"),
    "play": N_("Plays {sound}"),
    "ringback": N_("The caller hears ringing"),
    "ringback_music": N_("The caller hears {music}"),
    "record": N_("The conversation is recorded"),
    "recording_notice": N_("The caller hears that the talk is recorded"),
    "message": N_("The caller may leave a message now"),
    "message_over": N_("The message is over after {seconds} s"),
    "fax": N_("The caller may send a fax now"),
    "fax_page": N_("Page {page} of the fax has come"),
    "fax_over": N_("The fax is over, pages: {pages}"),
    "key": N_("The caller presses {digit}"),
    "rings": N_("Rings {who}, up to {seconds} s"),
    "phone_rings": N_("The phone rings: {who}"),
    "early_media": N_("The caller hears what the operator of {who} plays before the answer"),
    "answered": N_("{who} answered"),
    "skipped": N_("{who} is not rung: {why}"),
    "gate_closed": N_("{who} is not rung: {why}"),
    "not_reached": N_("Their turn did not come: {whom} ({why})"),
    "no": N_("{who} did not take the call: {cause}"),
    "line_failed": N_("The line “{line}” failed ({cause}); {who} is called by the next one"),
    "cancelled": N_("Ringing of {who} is stopped: {why}"),
    "talk": N_("Talks with {who}"),
    "talk_over": N_("{who} ended the talk"),
    "held": N_("{by} put the caller on hold"),
    "resumed": N_("{by} took the caller back"),
    "hold_expired": N_("The caller was on hold for too long"),
    "transfer_asked": N_("{by} transfers the call to {number}"),
    "transfer_refused": N_("{by} wanted to send the call to {number}; outsiders can't"),
    "transfer_returns": N_("Nobody took the transferred call; it goes back to {who}"),
    "transfer_cancelled": N_("{by} takes the caller back from the transfer"),
    "consults": N_("{by} consults {number}; the other party waits"),
    "consultation": N_("{by} talks with {who}; the other party waits"),
    "toggled": N_("{by} turns to {who}"),
    "consultation_over": N_("{by} ends the consultation: {why}"),
    "handed_over": N_("The call is handed over to {who}"),
    "sent_by_code": N_("{by} sends the other party on by a code"),
    "code_refused": N_("{by} has typed a code that can’t be obeyed: {why}"),
    "pick_up": N_("Picks up a call that rings at a colleague"),
    "picked_up": N_("Picked up by {who}"),
    "nothing_to_pick_up": N_("There was no ringing call to pick up"),
    "forbidden_number": N_("Calls to {number} are forbidden"),
    "wrong_number": N_("{number} is no number that can be called"),
    "ordered": N_("Ordered call: first {who}, then {number}"),
    "hop_limit": N_("The call was sent on more than {limit} times and is ended"),
    "unavailable": N_("This place is not available: {why}"),
    "hangs_up": N_("The PBX hangs up"),
    "caller_left": N_("The caller hung up"),
    "engine_restarted": N_("The PBX was restarted during the call"),
    "leg_lost": N_("{who} was lost: {cause}"),
}
"""Every `what` that the engine notes (a test looks for it); plugins bring those of their own."""

REASONS: Final[Mapping[str, str]] = {
    "inactive": N_("switched off"),
    "already_in_call": N_("already takes part in this call"),
    "outside_hours": N_("outside working hours"),
    "closed": N_("outside working hours"),
    "not_registered": N_("the phone is not registered"),
    "lines_busy": N_("all lines are busy"),
    "no_contacts": N_("no contacts"),
    "no_account": N_("the contact has no SIP account, so no phone can register"),
    "answered_first": N_("somebody with a higher priority took the call"),
    "chosen": N_("the caller chose something else"),
    "time_over": N_("the time to ring was over"),
    "no_answer": N_("no answer"),
    "busy": N_("busy"),
    "left": N_("the caller hung up"),
    "empty": N_("there is nobody to ring"),
    "failed": N_("an internal error"),
    "no_faxes": N_("the switch receives no faxes"),
    "no_plugin": N_("its plugin is switched off"),
    "gone": N_("it no longer exists"),
    "menu_timeout": N_("nothing was chosen in the menu"),
    "nothing": N_("no action is set"),
    "hold_expired": N_("held for too long"),
    "off_hours": N_("outside working hours"),
    "in_menu": N_("the caller left in the menu"),
    "voicemail": N_("a voice message was left"),
    "callback": N_("a callback was ordered"),
    "transfer_failed": N_("the transfer failed"),
    "gate": N_("not allowed"),
    "not_in_list": N_("the caller is not in its list"),
    "list_inactive": N_("its list is switched off"),
    "menu": N_("the caller left in the menu"),
    "cancelled": N_("cancelled"),
    "engine_restarted": N_("the PBX was restarted"),
    "talk_over": N_("the third party has hung up"),
    "no_such_number": N_("no such number"),
    "nothing_to_cancel": N_("there is nothing to cancel or to switch to"),
    "in_consultation": N_("a consultation is going on"),
    "no_root": N_("the PBX has no root group"),
}

CAUSES: Final[Mapping[str, str]] = {
    "NORMAL_CLEARING": N_("normal end of the call"),
    "USER_BUSY": N_("busy"),
    "NO_ANSWER": N_("no answer"),
    "NO_USER_RESPONSE": N_("temporarily unavailable"),
    "CALL_REJECTED": N_("rejected"),
    "ORIGINATOR_CANCEL": N_("the caller hung up"),
    "LOSE_RACE": N_("answered elsewhere"),
    "BLIND_TRANSFER": N_("transferred"),
    "ATTENDED_TRANSFER": N_("transferred"),
    "UNALLOCATED_NUMBER": N_("no such number"),
    "NORMAL_TEMPORARY_FAILURE": N_("temporary failure"),
    "USER_NOT_REGISTERED": N_("the phone is not registered"),
    "SUBSCRIBER_ABSENT": N_("the subscriber is not available"),
    "ALLOTTED_TIMEOUT": N_("no answer"),
    "OUTGOING_CALL_BARRED": N_("this direction is forbidden"),
    "INVALID_NUMBER_FORMAT": N_("not a valid number"),
    "FACILITY_NOT_SUBSCRIBED": N_("not supported"),
    "NORMAL_CIRCUIT_CONGESTION": N_("all channels of the line are busy"),
    "GATEWAY_DOWN": N_("the provider’s line is down"),
    "ENGINE_LOST": N_("unknown: it ended while the PBX was restarting"),
    "SWITCH_LOST": N_("the switch was restarted"),
    "RECOVERY_ON_TIMER_EXPIRE": N_("the phone does not respond"),
    "DESTINATION_OUT_OF_ORDER": N_("the line is out of order"),
    "INCOMPATIBLE_DESTINATION": N_("no common sound format"),
    "NO_ROUTE_DESTINATION": N_("no route to the number"),
    "NETWORK_OUT_OF_ORDER": N_("network failure"),
    "EXCHANGE_ROUTING_ERROR": N_("routing error"),
    "PICKED_OFF": N_("picked up by a colleague"),
    "NO_PICKUP": N_("there was no call to pick up"),
    "MANAGER_REQUEST": N_("ended by the PBX"),
    "SYSTEM_SHUTDOWN": N_("the switch was stopped"),
    "MEDIA_TIMEOUT": N_("the connection was lost"),
    "": N_("unknown"),
}

BUILT_IN: Final[Mapping[str, str]] = {
    "prompts/unavailable.wav": N_("The service is not available, please call later"),
    "prompts/wrong-number.wav": N_("The number is wrong"),
    "prompts/forbidden-number.wav": N_("Calls to this number are forbidden"),
    "prompts/callback-employee.wav": N_("Connecting you with the client"),
    "prompts/callback-accepted.wav": N_("We shall call you back"),
    "prompts/callback-refused.wav": N_("We can't call this number back"),
    "prompts/callout-number.wav": N_("Enter the number"),
    "prompts/callout-bad-number.wav": N_("The number was entered wrongly"),
    "prompts/callout-pin.wav": N_("Enter the PIN"),
    "prompts/callout-bad-pin.wav": N_("The PIN was entered wrongly"),
    "prompts/callout-refused.wav": N_("This service is not for you"),
    "prompts/voicemail.wav": N_("Please leave a message"),
}
"""What the PBX says by itself, by the paths of the sounds."""

ENDS: Final[Mapping[End, str]] = {
    "talked": N_("The call ends after a talk"),
    "served": N_("The call is over: it has reached its purpose"),
    "hung_up": N_("The PBX ends the call"),
    "missed": N_("Nobody took the call"),
    "left": N_("The caller hung up"),
    "waits": N_("The call would hang for ever: nothing can happen to it any more"),
    "goes_round": N_("The call goes round and would never end by itself"),
}

UNUSED: Final = N_("Keys that nobody waited for: {keys}")
QUOTED: Final = N_("“{title}”")
_GOOD = frozenset({"talk", "answered", "picked_up", "consultation", "handed_over"})
_BAD = frozenset(
    {"code_refused", "nothing_to_pick_up"}
    | {"no", "line_failed", "unavailable", "hop_limit", "hold_expired", "closed", "skipped", "gate_closed"}
    | {"forbidden_number", "wrong_number", "leg_lost", "transfer_refused", "transfer_returns"}
)
_MAIN = frozenset({"enters", "ordered"})


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the timeline. `at_ms` since the call began; `tone`: good, bad, accent or ""."""

    at_ms: int
    text: str
    tone: str
    target: Ref | None

    @property
    def clock(self) -> str:
        """Minutes, seconds, tenths: “1:07.4”."""
        tenths = self.at_ms // 100
        return f"{tenths // 600}:{tenths // 10 % 60:02d}.{tenths % 10}"


def _tone(what: str) -> Literal["", "good", "bad", "accent"]:
    return "good" if what in _GOOD else "bad" if what in _BAD else "accent" if what in _MAIN else ""


OF_CORE: Final[Mapping[str, Sentence]] = {what: Sentence(text, _tone(what)) for what, text in SENTENCES.items()}


def with_plugins(plugins: Mapping[str, Sentence]) -> Mapping[str, Sentence]:
    """Every sentence of this installation. Raises PluginError when a plugin tells a step of the core."""
    if taken := sorted(set(plugins) & set(OF_CORE)):
        raise PluginError(f"A plugin tells the step {taken[0]}, which is the core's.")
    return {**OF_CORE, **plugins}


def cause_words(words: Words, cause: str) -> str:
    return words(CAUSES[cause]) if cause in CAUSES else cause


def reason_words(words: Words, reason: str, facts: Mapping[str, Any] | None = None) -> str:
    """A reason may also be a sentence of the plugin that gave it (a schedule's verdict); its places are facts named “why_…”."""
    if reason in CAUSES:
        return cause_words(words, reason)
    template = REASONS.get(reason, reason)
    return words(template, **{place: (facts or {}).get(f"why_{place}") or "—" for place in _names(template)})


def sentence(words: Words, what: str, facts: Mapping[str, Any], sentences: Mapping[str, Sentence] = OF_CORE) -> str:
    """A step in the reader's language; a step without a sentence is shown by its name and facts rather than hidden."""
    if what == "ringback" and facts.get("music"):
        what = "ringback_music"
    if what not in sentences:
        told = ", ".join(f"{k} = {v}" for k, v in facts.items() if v not in (None, ""))
        return f"{what}: {told}" if told else what
    template = sentences[what].text
    told_facts: dict[str, Any] = {}
    for name in _names(template):
        value = facts.get(name, "")
        if name == "cause":
            value = cause_words(words, str(value or ""))
        elif name == "why":
            value = reason_words(words, str(value or ""), facts)
        elif name == "seconds" and isinstance(value, float):
            value = int(value)
        elif isinstance(value, str):
            value = pretty(value) or "—"
        told_facts[name] = "—" if value is None else value
    return words(template, **told_facts)


def _names(template: str) -> list[str]:
    return [part.partition("}")[0] for part in template.split("{")[1:] if "}" in part]


def timeline(
    words: Words,
    trace: Iterable[Mapping[str, Any]],
    names: Mapping[str, str] | None = None,
    sentences: Mapping[str, Sentence] = OF_CORE,
) -> list[Line]:
    """The trace of a CallRecord as lines; damaged entries are left out.

    `names`: contacts' people, titles of sound files and of targets; `sentences`: `visit.host.sentences`.
    """
    lines = []
    for step in trace:
        what = str(step.get("what", ""))
        if not what:
            continue
        tone = sentences[what].tone if what in sentences else ""
        lines.append(
            Line(
                int(step.get("at") or 0),
                sentence(words, what, _named(words, step.get("facts") or {}, names or {}), sentences),
                tone,
                _target(step.get("target")),
            )
        )
    return lines


def names_of(words: Words, snapshot: Snapshot, actions: Mapping[str, RoutingAction]) -> dict[str, str]:
    """For `timeline`: people by their contacts, titles by the paths of sounds, and targets that are no elements, as they are now."""
    people = {c.address: u.title for u in snapshot.core.users for c in u.contacts}
    sounds = {e.path: e.title for e in snapshot.elements() if isinstance(e, SoundElement)}
    return people | sounds | target_titles(words, snapshot, actions)


def target_titles(words: Words, snapshot: Snapshot, actions: Mapping[str, RoutingAction]) -> dict[str, str]:
    """How targets that are no elements are called, by the Ref as text: “Hang up”, “CallBack of a group: Sales”."""
    found = {}
    for action in actions.values():
        for choice in action.choices(snapshot):
            if snapshot.element(choice.target) is None:
                title = words(action.title)
                found[str(choice.target)] = f"{title}: {choice.title}" if choice.target.id else title
    return found


def rehearsed(
    words: Words,
    rehearsal: Rehearsal,
    snapshot: Snapshot,
    actions: Mapping[str, RoutingAction],
    sentences: Mapping[str, Sentence] = OF_CORE,
) -> list[Line]:
    """A rehearsal as lines, a line for each step; then what was typed in vain; its end as the last one."""
    steps = (
        {"at": round(at * 1000), "what": step.what, "facts": step.facts, "target": str(step.target) if step.target else None}
        for at, step in rehearsal.steps
    )
    tone = "good" if rehearsal.end in ("talked", "served") else "" if rehearsal.end in ("hung_up", "left") else "bad"
    end = Line(round(rehearsal.seconds * 1000), words(ENDS[rehearsal.end]), tone, None)
    unused = [Line(end.at_ms, words(UNUSED, keys=rehearsal.unused_keys), "bad", None)] if rehearsal.unused_keys else []
    return [*timeline(words, steps, names_of(words, snapshot, actions), sentences), *unused, end]


def way_words(words: Words, snapshot: Snapshot, way: Way, names: Mapping[str, str]) -> str:
    """Where a call went, in one line: “Menu” → “Sales”; Anna (201) rings; nobody took the call. `names`: `names_of` the snapshot."""
    if way.refusal is not None:
        return words(way.refusal.message, **way.refusal.params)
    titles = (element.title if (element := snapshot.element(ref)) is not None else names.get(str(ref), "") for ref in way.entered)
    entered = [title for title in titles if title]
    told = [" → ".join(words(QUOTED, title=title) for title in _brief(entered))] if entered else []
    if way.rung:
        who = _brief([_who(names, label) for label in dict.fromkeys(way.rung)])
        told.append(words(N_("rung: {who}"), who=", ".join(who)))
    if way.talked_with:
        told.append(words(N_("talk with {who}"), who=_who(names, way.talked_with)))
    elif way.end is not None:
        told.append(words(ENDS[way.end]))
    return "; ".join(told)


def _brief(titles: Sequence[str], most: int = 8) -> list[str]:
    return list(titles) if len(titles) <= most else [*titles[: most - 1], "…"]


def hours_words(language: str, unserved: Unserved, zone: ZoneInfo) -> str:
    number = pretty(unserved.did.number)
    if unserved.always:
        return translate(language, NOBODY, number=number)
    hours = "; ".join(format_hours(language, start, end, str(zone)) for start, end in unserved.hours)
    return translate(language, N_("Calls to {number} reach nobody in these hours: {hours}"), number=number, hours=hours)


def _who(names: Mapping[str, str], label: str) -> str:
    return f"{names[label]} ({pretty(label)})" if label in names else pretty(label)


def _named(words: Words, facts: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Contacts by their people's names with the number behind, sounds and targets by their titles."""
    told = dict(facts)
    if str(facts.get("title")) in names:  # a target that is no element was noted by its reference
        told["title"] = names[str(facts["title"])]
    for key in ("who", "by"):
        label = str(facts.get(key, ""))
        if names.get(label):
            told[key] = _who(names, label)
    if isinstance(facts.get("whom"), str):
        told["whom"] = ", ".join(_who(names, label) for label in facts["whom"].split(", "))
    for key in ("sound", "music"):
        if isinstance(facts.get(key), str):
            told[key] = ", ".join(_sound(words, path, names) for path in facts[key].split(" + "))
    return told


def _sound(words: Words, path: str, names: Mapping[str, str]) -> str:
    if path.startswith("tone:"):
        return words(N_("a tone"))
    title = names.get(path) or (words(BUILT_IN[path]) if path in BUILT_IN else "")
    return words(QUOTED, title=title) if title else path


def _target(value: Any) -> Ref | None:
    if isinstance(value, Mapping) and "kind" in value:
        return Ref(str(value["kind"]), int(value.get("id", 0)))
    if isinstance(value, str):
        try:
            return Ref.parse(value)
        except ValueError:
            return None
    return None
