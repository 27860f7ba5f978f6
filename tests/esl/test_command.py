# SPDX-License-Identifier: Apache-2.0
"""Commands: whatever text goes in, one command with that argument comes out."""

import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.esl import command
from engine.esl.command import CommandError
from engine.esl.frame import Frame, FrameParser
from engine.esl.words import separate

nasty = st.text(
    st.one_of(st.sampled_from(list("\\'\"$ {}(),;=!|\n\r\t\0ntsИя")), st.characters()), max_size=40
)
NAMED = "Иван, 'Co' \"x\" \\n a=b;c ${system(id)} $$ \\$ :_: | ^^ end\\ "


def one(data: bytes) -> Frame:
    parser = FrameParser(commands=True)
    found = list(parser.feed(data))
    assert len(found) == 1, found
    assert parser.pending == 0
    return found[0]


def clean(text: str) -> str:
    """What may be left of a text: control characters are spaces, an expansion is none."""
    return command.value(text)


BUILDERS: list[Callable[[str], bytes]] = [
    command.api,
    lambda text: command.bgapi(text, "job-1"),
    lambda text: command.execute("u", "playback", text, run="r"),
    lambda text: command.execute("u", "playback", command.playlist([text or "x", text or "y"])),
    lambda text: command.setvar("u", "name", text),
    lambda text: command.setvar_multi("u", {"a": text, "b": text}),
    lambda text: command.record("u", "start", text or "x", 5),
    lambda text: command.broadcast("u", text or "x", "aleg"),
    lambda text: command.hupall("NORMAL_CLEARING", "vats_call", text),
    lambda text: command.bgapi(command.originate("sofia/gateway/g/7", {"a": text}), "job-1"),
    command.answer, command.pre_answer, command.ring_ready, command.park, command.break_, command.sched_del, command.auth,
    lambda text: command.kill("u", text),
    lambda text: command.bridge("u", text),
    lambda text: command.transfer("u", text, "ctx"),
    lambda text: command.sched_transfer("u", 10, "unavail", text),
    lambda text: command.getvar("u", text),
    lambda text: command.send_dtmf("u", text),
    lambda text: command.setvar("u", text, "v"),
    lambda text: command.gateway_kill("external", text),
    lambda text: command.flush_registration("internal", text),
    lambda text: command.xml_flush_cache(text or "x", text),
    lambda text: command.subscribe([text]),
    lambda text: command.bgapi(command.originate(text, {}), "job-1"),
]  # fmt: skip


@pytest.mark.parametrize("build", BUILDERS)
@given(text=nasty)
def test_no_text_makes_a_second_command_or_a_header(build: Callable[[str], bytes], text: str) -> None:
    plain = one(build("1"))  # a good one, to compare with
    try:
        data = build(text)
    except CommandError:
        return
    frame = one(data)
    assert frame.headers.keys() - {"content-type", "content-length"} == plain.headers.keys() - {"content-type", "content-length"}
    assert frame.command.split(" ")[:1] == plain.command.split(" ")[:1]


@pytest.mark.parametrize("text", ["", "a b", "a\nb", "-both", "a'b", "a{b", "${x}", "a,b", "a|b", "имя", "a;b", "a=b"])
def test_names_are_checked(text: str) -> None:
    with pytest.raises(CommandError):
        command.word(text)


@pytest.mark.parametrize(
    "text",
    ["u-123", "4f1c9e9e-7c1a-4c52-9d3f-000000000000",
     "101@t1.example", "+74957776655", "*98", "sofia::register", "USER_BUSY"]
)
def test_names_pass_as_they_are(text: str) -> None:
    assert command.word(text) == text


@given(nasty)
def test_a_variable_gets_the_text(text: str) -> None:
    line = one(command.setvar("u", "name", text)).command
    words = separate(line.removeprefix("api uuid_setvar "), " ", 3)
    assert words[:2] == ["u", "name"]
    assert words[2:] == ([clean(text)] if text else [])


@given(nasty, nasty)
def test_several_variables_get_their_texts(first: str, second: str) -> None:
    line = one(command.setvar_multi("u", {"a": first, "b": second})).command
    words = separate(line.removeprefix("api uuid_setvar_multi u "), ";", 64)
    assert [word.partition("=")[::2] for word in words] == [("a", clean(first)), ("b", clean(second))]


@given(nasty, nasty)
def test_an_originate_carries_every_variable(first: str, second: str) -> None:
    line = command.originate("sofia/gateway/g/7", {"a": first, "b": second}, "park")
    assert "\n" not in line
    verb, dial, application = separate(line, " ", 10)
    assert (verb, application) == ("originate", "&park")
    braces, end, rest = dial[1:].partition("}")
    assert (end, rest) == ("}", "sofia/gateway/g/7")
    assert "{" not in braces
    pairs = [separate(pair, "=", 2) for pair in separate(braces, ",")]
    expected = [clean(text).replace("{", "(").replace("}", ")").replace(":_:", ":-:") for text in (first, second)]
    assert [pair[1] if len(pair) > 1 else "" for pair in pairs] == expected


@pytest.mark.parametrize(
    "text", ["", "a b", "a,b", "a|b", "{x=1}sofia/g/7", "<x=1>a", "[x=1]a", "a'b", 'a"b', "a\\b", "sofia/g/${x}", "a\nb", "^^a"]
)
def test_a_dial_string_is_one_destination(text: str) -> None:
    with pytest.raises(CommandError):
        command.originate(text, {})


@pytest.mark.parametrize(
    "text",
    ["sofia/gateway/trunk-1/74957776655", "user/101@t1.test", "sofia/internal/sip:101@[::1]:5060;transport=tcp;fs_path=sip:a",
     "loopback/7/ctx"]
)
def test_real_dial_strings_pass(text: str) -> None:
    assert f"}}{text} &park" in command.originate(text, {"a": "b"})


def one_pass(text: str) -> str:
    """What FreeSWITCH makes of an argument that holds no expansion, as seen on 1.10.12."""
    if not re.search(r"\\[\\nst']", text):
        return text
    out: list[str] = []
    at = 0
    while at < len(text):
        pair = text[at : at + 2]
        if pair in ("\\\\", "\\$"):
            out.append(pair[1])
            at += 3 if pair == "\\$" and text[at + 2 : at + 3] == "$" else 2
        elif pair == "\\'":
            at += 2
        elif pair == "$$":
            out.append("$")
            at += 2
        else:
            out.append(text[at])
            at += 1
    return "".join(out)


@given(nasty)
def test_nothing_is_left_to_expand_in_any_pass(text: str) -> None:
    argument = command.literal(text)
    for _ in range(5):
        assert not re.search(r"\$\\*\{", argument)
        argument = one_pass(argument)


@given(nasty)
def test_one_pass_gives_the_text(text: str) -> None:
    assert one_pass(command.literal(text)) == clean(text)


def test_what_was_seen_on_a_real_switch() -> None:
    assert command.literal("plain $x \\q 'a'") == "plain $x \\q 'a'"
    assert command.literal("a\\nb $") == "a\\\\nb \\$"
    assert command.literal("${system(id)}") == "$(system(id)}"
    assert command.setvar("u", "n", NAMED) == (
        "api uuid_setvar u n Иван,\\s\\'Co\\'\\s\"x\"\\s\\\\n\\sa=b;c\\s$(system(id)}\\s$$\\s\\\\$\\s:_:\\s|\\s^^\\send\\\\\\s\n\n".encode()
    )


def test_sounds_follow_each_other() -> None:
    assert command.playlist(["/a.wav"]) == "/a.wav"
    assert command.playlist(["/a.wav", "/b!c.wav"]) == "file_string:///a.wav!/b\\!c.wav"
    assert separate(command.playlist(["/a b.wav", "/c!d.wav"]).removeprefix("file_string://"), "!") == ["/a b.wav", "/c!d.wav"]
    for sounds in ([], [""], ["a", ""]):
        with pytest.raises(CommandError):
            command.playlist(sounds)


def test_the_frames_of_the_common_commands() -> None:
    assert command.answer("u-1") == b"api uuid_answer u-1\n\n"
    assert command.kill("u-1", "USER_BUSY") == b"api uuid_kill u-1 USER_BUSY\n\n"
    assert command.break_("u-1") == b"api uuid_break u-1 all\n\n"
    assert command.transfer("u", "101", "ctx", True) == b"api uuid_transfer u -both 101 XML ctx\n\n"
    assert command.sched_transfer("u", 10, "unavail", "vats") == b"api sched_transfer +10 u unavail XML vats\n\n"
    assert command.hold("u", False) == b"api uuid_hold off u\n\n"
    assert command.record("u", "start", "/r/a b.wav", 60) == b"api uuid_record u start /r/a\\sb.wav 60\n\n"
    assert command.record("u", "mask", "/r.wav") == b"api uuid_record u mask /r.wav\n\n"
    assert command.record_argument("/r.wav", 20, 5, 200) == "/r.wav 20 200 5"
    assert command.record_argument("/r.wav", 0, 0, 200) == "/r.wav"
    assert command.subscribe(["DTMF", "CUSTOM"], ["sofia::register"]) == b"event json DTMF CUSTOM sofia::register\n\n"
    assert command.execute("u", "playback", "/ф.wav", run="r-1", loops=-1) == (
        "sendmsg u\ncall-command: execute\nexecute-app-name: playback\nloops: -1\nEvent-UUID: r-1\nevent-lock: true\n"
        "content-type: text/plain\ncontent-length: 7\n\n/ф.wav"
    ).encode()
    assert command.execute("u", "answer", lock=False) == b"sendmsg u\ncall-command: execute\nexecute-app-name: answer\n\n"


@pytest.mark.parametrize("digits", ["", "12x", "1 2", "1\n2", "1" * 129])
def test_only_digits_are_sent_as_digits(digits: str) -> None:
    with pytest.raises(CommandError):
        command.send_dtmf("u", digits)
