# SPDX-License-Identifier: Apache-2.0
"""The trace of a call in words: a catalogue sentence for each `Step.what`, of the core here, of plugins by `Plugin.sentences`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from engine.sdk import N_, PluginError, Ref, Sentence, pretty

Words = Callable[..., str]
"""`Visit.t`, or anything that translates a catalogue id with parameters."""

SENTENCES: Final[Mapping[str, str]] = {
    "enters": N_("Goes to “{title}”"),
    "closed": N_("“{title}” takes no calls: {why}"),
    "answer": N_("The call is answered by the PBX"),
    "answered_to_hold_the_line": N_("The PBX answers the call, since the operator would cut an unanswered one"),
    "play": N_("Plays {sound}"),
    "ringback": N_("The caller hears ringing"),
    "ringback_music": N_("The caller hears {music}"),
    "record": N_("The conversation is recorded"),
    "message": N_("The caller may leave a message now"),
    "message_over": N_("The message is over after {seconds} s"),
    "key": N_("The caller presses {digit}"),
    "rings": N_("Rings {who}, up to {seconds} s"),
    "phone_rings": N_("The phone rings: {who}"),
    "answered": N_("{who} answered"),
    "skipped": N_("{who} is not rung: {why}"),
    "gate_closed": N_("{who} is not rung: {why}"),
    "no": N_("{who} did not take the call: {cause}"),
    "line_failed": N_("The line “{line}” failed ({cause}); {who} is called by the next one"),
    "cancelled": N_("Ringing of {who} is stopped"),
    "talk": N_("Talks with {who}"),
    "talk_over": N_("{who} ended the talk"),
    "hold": N_("{who} is put on hold"),
    "held": N_("{by} put the caller on hold"),
    "resumed": N_("{by} took the caller back"),
    "hold_expired": N_("The caller was on hold for too long"),
    "transfer_asked": N_("{by} transfers the call to {number}"),
    "transfer_refused": N_("{by} wanted to send the call to {number}; outsiders can't"),
    "transfer_returns": N_("Nobody took the transferred call; it goes back to {who}"),
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
    "no_answer": N_("no answer"),
    "busy": N_("busy"),
    "left": N_("the caller hung up"),
    "empty": N_("there is nobody to ring"),
    "failed": N_("an internal error"),
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
    "no_root": N_("the PBX has no root group"),
}

CAUSES: Final[Mapping[str, str]] = {
    "NORMAL_CLEARING": N_("normal end of the call"),
    "USER_BUSY": N_("busy"),
    "NO_ANSWER": N_("no answer"),
    "NO_USER_RESPONSE": N_("the phone does not respond"),
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
    "prompts/voicemail.wav": N_("Please leave a message"),
}
"""What the PBX says by itself, by the paths of the sounds."""

QUOTED: Final = N_("“{title}”")
_GOOD = frozenset({"talk", "answered", "picked_up"})
_BAD = frozenset(
    {"no", "line_failed", "unavailable", "hop_limit", "hold_expired", "closed", "skipped", "gate_closed"}
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


def reason_words(words: Words, reason: str) -> str:
    """A reason may also be a sentence of the plugin that gave it (a schedule's verdict)."""
    if reason in CAUSES:
        return cause_words(words, reason)
    return words(REASONS.get(reason, reason))


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
            value = reason_words(words, str(value or ""))
        elif name == "seconds" and isinstance(value, float):
            value = int(value)
        elif isinstance(value, str):
            value = pretty(value) or "—"
        told_facts[name] = "—" if value is None else value
    return words(template, **told_facts)


def _names(template: str) -> list[str]:
    return [part.partition("}")[0] for part in template.split("{")[1:]]


def timeline(
    words: Words,
    trace: Iterable[Mapping[str, Any]],
    names: Mapping[str, str] | None = None,
    sentences: Mapping[str, Sentence] = OF_CORE,
) -> list[Line]:
    """The trace of a CallRecord as lines; damaged entries are left out.

    `names`: contacts' people and titles of sound files; `sentences`: `visit.host.sentences`.
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


def _named(words: Words, facts: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Contacts by their people's names with the number behind, sounds by their titles."""
    told = dict(facts)
    for key in ("who", "by"):
        name = names.get(str(facts.get(key, "")))
        if name:
            told[key] = f"{name} ({pretty(str(facts[key]))})"
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
