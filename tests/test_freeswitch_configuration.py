# SPDX-License-Identifier: Apache-2.0
"""deploy/freeswitch read as text: the traps that FreeSWITCH itself is silent about. tests/switches runs it."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

FOLDER = Path(__file__).parents[1] / "deploy" / "freeswitch"
FILES = sorted(FOLDER.rglob("*.xml"))


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(FOLDER)))
def test_a_file_is_xml_with_preprocessor_tags_alone_on_their_lines(file: Path) -> None:
    text = re.sub(r"<\?xml[^>]*\?>", "", file.read_text("utf-8"))
    # included files may hold several elements
    ElementTree.fromstring(f"<all>{text}</all>")
    for line in text.splitlines():
        if "X-PRE-PROCESS" in line and "<X-PRE-PROCESS" in line:
            assert re.fullmatch(r'\s*<X-PRE-PROCESS cmd="[a-z-]+" data="[^"]*"/>', line), line


def test_every_variable_used_is_set_before() -> None:
    main = (FOLDER / "freeswitch.xml").read_text("utf-8")
    own = set(re.findall(r'cmd="set" data="(\w+)=', main)) | {"local_ip_v4"}
    used = {name for file in FILES for name in re.findall(r"\$\$\{(\w+)\}", file.read_text("utf-8"))}
    assert used <= own
    assert set(re.findall(r'cmd="env-set" data="(\w+)=', main)) <= own


def test_no_secret_is_left_as_a_global_variable() -> None:
    main = (FOLDER / "freeswitch.xml").read_text("utf-8")
    tail = main[main.rindex("</section>") :]
    for secret in ("vats_esl_password", "vats_directory_secret"):
        assert f'data="{secret}="' in tail


def settings(name: str) -> dict[str, str]:
    return {e.attrib["name"]: e.attrib["value"] for e in ElementTree.parse(FOLDER / name).iter("param")}


def test_phones_prove_themselves_and_providers_stand_in_a_list() -> None:
    internal, trunk = settings("sofia/internal.xml"), settings("sofia/trunk.xml")
    assert internal["auth-calls"] == "true"
    assert internal["accept-blind-reg"] == "false"
    assert internal["challenge-realm"] == "auto_from"
    assert internal["inbound-reg-force-matching-username"] == "true"
    assert "apply-inbound-acl" not in internal
    assert trunk["apply-inbound-acl"] == "trunks"
    assert trunk["disable-register"] == "true"
    assert trunk["disable-transfer"] == "true"
    assert "disable-transfer" not in internal
    for profile in (internal, trunk):
        assert profile["fire-transfer-events"] == "true"
        assert not {"force-register-domain", "force-subscription-domain"} & set(profile)


def test_every_call_is_guarded_and_parked_without_park_timeout() -> None:
    text = (FOLDER / "dialplan/vats.xml").read_text("utf-8")
    assert "park_timeout" not in text
    contexts = {c.attrib["name"]: c for c in ElementTree.fromstring(f"<all>{text}</all>")}
    assert set(contexts) == {"from-phone", "from-trunk", "vats"}
    for name in ("from-phone", "from-trunk"):
        actions = [(a.attrib["application"], a.attrib.get("data", "")) for a in contexts[name].iter("action")]
        assert actions == [("sched_transfer", "+$${vats_unclaimed_seconds} unavail XML vats"), ("park", "")]
