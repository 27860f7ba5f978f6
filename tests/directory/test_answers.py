# SPDX-License-Identifier: Apache-2.0
"""What the directory answers to each kind of question, and what it says to nonsense."""

from __future__ import annotations

from hashlib import md5
from urllib.parse import urlencode
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.calls.trunks import gateway_name
from engine.directory import Guard, SipCredentials, TrunkConfig, ha1
from engine.directory.answers import Answers, read_form
from engine.directory.documents import NOT_FOUND


class Office:
    def __init__(self) -> None:
        self.domains = {"romashka.test": 1, "lutik.test": 2}
        self.default: int | None = None
        self.whitelists: dict[int, list[str]] = {}
        self.lines: list[TrunkConfig] = []

    def account_for_domain(self, domain: str) -> int | None:
        return self.domains.get(domain.lower())

    def default_account(self) -> int | None:
        return self.default

    def sip_account(self, account_id: int, login: str) -> SipCredentials | None:
        if login == "nobody":
            return None
        return SipCredentials(account_id, account_id * 100, f"pass{account_id}", user_id=3 if account_id == 1 else None)

    def whitelist(self, account_id: int) -> list[str]:
        return self.whitelists.get(account_id, [])

    def trunks(self) -> list[TrunkConfig]:
        return self.lines


@pytest.fixture
def office() -> Office:
    return Office()


@pytest.fixture
def answers(office: Office) -> Answers:
    return Answers(office, Guard())


def asked(user: str = "201", domain: str = "romashka.test", **fields: str) -> bytes:
    """The body of a REGISTER's question; `fields` replace its own, an empty one is left out."""
    form = {
        "hostname": "vats", "section": "directory", "tag_name": "domain", "key_name": "name", "key_value": domain,
        "key": "id", "user": user, "domain": domain, "ip": "10.1.1.1", "action": "sip_auth", "sip_profile": "internal",
        "sip_auth_method": "REGISTER", "sip_to_user": user, "sip_to_host": domain,
    } | fields  # fmt: skip
    return urlencode({name: value for name, value in form.items() if value}).encode()


def configuration(name: str) -> bytes:
    return urlencode(
        {"section": "configuration", "tag_name": "configuration", "key_name": "name", "key_value": name, "profile": "trunk"}
    ).encode()


def values(document: str, path: str) -> dict[str, str]:
    return {e.attrib["name"]: e.attrib["value"] for e in ElementTree.fromstring(document).findall(f".//{path}")}


@pytest.mark.feature("R27", "ACC-1")
def test_a_user_is_told_by_a_hash_for_the_domain_asked(answers: Answers) -> None:
    document = answers.directory(asked())
    params = values(document, "param")
    assert params["a1-hash"] == ha1("201", "romashka.test", "pass1")
    assert params["dial-string"] == "${sofia_contact(internal/${dialed_user}@${dialed_domain})}"
    assert "auth-acl" not in params
    assert values(document, "variable") == {
        "user_context": "from-phone", "vats_account": "1", "vats_sip_account": "100", "vats_user": "3",
    }  # fmt: skip
    root = ElementTree.fromstring(document)
    assert [e.attrib for e in root.iter("user")] == [{"id": "201"}]
    assert [e.attrib for e in root.iter("domain")] == [{"name": "romashka.test"}]
    assert "pass1" not in document


@pytest.mark.feature("ACC-1")
def test_the_same_login_is_another_user_in_another_domain(answers: Answers) -> None:
    document = answers.directory(asked(domain="LUTIK.test"))
    assert values(document, "param")["a1-hash"] == ha1("201", "LUTIK.test", "pass2")
    assert values(document, "variable")["vats_account"] == "2"


@pytest.mark.feature("R27")
@pytest.mark.parametrize("domain", ["192.168.1.5", "pbx.lan"])
def test_an_unknown_domain_belongs_to_the_default_account(answers: Answers, office: Office, domain: str) -> None:
    assert answers.directory(asked(domain=domain)) == NOT_FOUND
    office.default = 2
    document = answers.directory(asked(domain=domain))
    assert values(document, "param")["a1-hash"] == ha1("201", domain, "pass2")
    assert values(document, "variable")["vats_account"] == "2"


def test_an_account_may_be_kept_by_the_switch_only_when_wanted(office: Office) -> None:
    assert 'cacheable="60000"' in Answers(office, Guard(), cache_milliseconds=60000).directory(asked())
    assert "cacheable" not in Answers(office, Guard()).directory(asked())


@pytest.mark.feature("PBX-5")
def test_the_white_list_limits_where_phones_stand(answers: Answers, office: Office) -> None:
    office.whitelists[1] = ["10.1.0.0/17", "10.1.128.0/17", "192.168.7.1", "fd00::/8", "rubbish"]
    document = answers.directory(asked())
    assert values(document, "param")["auth-acl"] == "10.1.0.0/16,192.168.7.1/32,fd00::/8"
    assert answers.directory(asked(ip="10.2.0.1")) == NOT_FOUND
    assert answers.directory(asked(ip="")) == NOT_FOUND
    assert answers.directory(asked(ip="::ffff:10.1.0.1")) != NOT_FOUND
    # a list that holds no network at all must close, not open
    office.whitelists[1] = ["rubbish"]
    assert answers.directory(asked()) == NOT_FOUND
    # more than the switch can read: checked here alone
    office.whitelists[1] = [f"10.1.{i}.1" for i in range(202)]
    assert "auth-acl" not in answers.directory(asked(ip="10.1.9.1"))
    assert answers.directory(asked(ip="10.1.9.2")) == NOT_FOUND


def test_dialling_a_user_needs_no_address(answers: Answers, office: Office) -> None:
    office.whitelists[1] = ["10.0.0.0/8"]
    body = asked(action="user_call", ip="", sip_auth_method="", sip_to_user="", sip_to_host="")
    assert values(answers.directory(body), "variable")["vats_sip_account"] == "100"


@pytest.mark.feature("ACC-1")
@pytest.mark.parametrize(
    "fields", [{"sip_to_host": "lutik.test"}, {"sip_to_user": "202"}, {"sip_to_host": ""}, {"sip_to_user": ""}]
)
def test_nobody_registers_an_address_that_is_not_his(answers: Answers, fields: dict[str, str]) -> None:
    assert answers.directory(asked(**fields)) == NOT_FOUND
    # a call goes to whoever it likes
    assert answers.directory(asked(**{"sip_auth_method": "INVITE", **fields})) != NOT_FOUND


@pytest.mark.parametrize(
    "body",
    [
        b"", b"&&&", b"=", b"\xff\xfe\x00", b"section=directory", b"%zz=%zz", b"a" * 100_000,
        asked(section="dialplan"), asked(tag_name="user"), asked(key="number"), asked(purpose="gateways"),
        asked(purpose="network-list"), asked(user=""), asked(domain=""), asked(user="nobody"),
        asked(user="20\x001"), asked(domain="romashka.test\r\n"), asked(key_value="lutik.test"),
        asked() + b"&user=202", b"key_value=x&user=202&domain=lutik.test&" + asked(),
        asked(domain="lutik.test") + b"&" + asked(),
        urlencode([(f"f{i}", "x") for i in range(2000)]).encode() + b"&" + asked(),
        configuration("sofia.conf"),
    ],
)  # fmt: skip
def test_nonsense_is_not_found(answers: Answers, body: bytes) -> None:
    assert answers.directory(body) == NOT_FOUND


@given(st.binary(max_size=400))
def test_no_body_raises(body: bytes) -> None:
    assert read_form(body) is not None
    both = Answers(Office(), Guard())
    assert both.directory(body) == both.configuration(body) == NOT_FOUND


@given(st.text(min_size=1), st.text(min_size=1))
def test_any_name_stays_inside_its_attribute(login: str, domain: str) -> None:
    office = Office()
    office.default = 1
    fields = {"user": login, "domain": domain, "key_value": domain, "sip_to_user": login, "sip_to_host": domain}
    try:
        body = asked(**fields)
    except UnicodeEncodeError:
        return
    document = Answers(office, Guard()).directory(body)
    if document != NOT_FOUND:
        root = ElementTree.fromstring(document)
        assert [e.attrib["id"] for e in root.iter("user")] == [login]
        assert [e.attrib["name"] for e in root.iter("domain")] == [domain]
        assert "$" not in document


def test_too_many_failures_are_refused_unseen(office: Office) -> None:
    guard = Guard()
    answers = Answers(office, guard)
    for _ in range(10):
        guard.wrong_password("10.1.1.1", 100)
    assert answers.directory(asked()) == NOT_FOUND
    assert answers.directory(asked(ip="10.1.1.2")) != NOT_FOUND
    guard.proved("10.1.1.3", 100)
    for _ in range(30):
        assert answers.directory(asked(user="nobody", ip="10.1.1.3")) == NOT_FOUND
    assert answers.directory(asked(ip="10.1.1.3")) != NOT_FOUND
    assert answers.directory(asked(domain="lutik.test", ip="10.1.1.3")) == NOT_FOUND


def signed(password: str, qop: str = "auth", **fields: str) -> bytes:
    def h(text: str) -> str:
        return md5(text.encode()).hexdigest()

    what = h("REGISTER:sip:romashka.test")
    middle = f"n0nce:00000001:c0:{qop}" if qop else "n0nce"
    response = h(f"{h(f'201:romashka.test:{password}')}:{middle}:{what}")
    parts = {"sip_auth_qop": qop, "sip_auth_cnonce": "c0", "sip_auth_nc": "00000001"} if qop else {}
    return asked(sip_auth_nonce="n0nce", sip_auth_uri="sip:romashka.test", sip_auth_response=response, **parts, **fields)


@pytest.mark.parametrize("qop", ["auth", ""])
def test_wrong_passwords_are_counted_from_the_question_itself(answers: Answers, qop: str) -> None:
    for _ in range(9):
        assert answers.directory(signed("wrong", qop)) != NOT_FOUND
    # a right one begins the count anew
    assert answers.directory(signed("pass1", qop)) != NOT_FOUND
    for _ in range(10):
        assert answers.directory(signed("wrong", qop)) != NOT_FOUND
    assert answers.directory(signed("pass1", qop)) == NOT_FOUND
    assert answers.directory(signed("pass1", qop, ip="10.1.1.2")) != NOT_FOUND
    assert answers.directory(asked(ip="10.1.1.2", sip_auth_response="привет")) != NOT_FOUND
    assert answers.directory(asked(domain="lutik.test")) != NOT_FOUND


@pytest.mark.feature("NUM-2")
def test_trunks_become_gateways_named_by_their_id(answers: Answers, office: Office) -> None:
    office.lines = [
        TrunkConfig(7, 1, "sip.operator.test:5070", register=True, username="u&1", password='p"<$${x}', realm="operator"),
        TrunkConfig(8, 2, "10.5.5.5", addresses=("10.5.5.0/24",)),
    ]
    root = ElementTree.fromstring(answers.configuration(configuration("sofia.conf")))
    profiles = {profile.attrib["name"]: profile for profile in root.iter("profile")}
    assert set(profiles) == {"internal", "trunk"}
    assert not list(profiles["internal"].iter("gateway"))
    seven, eight = profiles["trunk"].iter("gateway")
    assert (seven.attrib["name"], eight.attrib["name"]) == (gateway_name(7), gateway_name(8))
    params = {e.attrib["name"]: e.attrib["value"] for e in seven.iter("param")}
    assert params["username"] == "u&1"
    assert params["password"] == 'p"<$${x}'
    assert params["register"] == "true"
    assert params["extension"] == "auto_to_user"
    assert [e.attrib for e in seven.iter("variable")] == [{"name": "vats_trunk", "value": "7", "direction": "inbound"}]
    params = {e.attrib["name"]: e.attrib["value"] for e in eight.iter("param")}
    assert params["register"] == "false"
    assert params["username"]
    assert params["password"]
    assert "realm" not in params


@pytest.mark.feature("NUM-2")
def test_a_trunk_without_an_outgoing_server_only_lets_calls_in(answers: Answers, office: Office) -> None:
    office.lines = [TrunkConfig(1, 1, addresses=("10.5.5.5",))]
    assert "<gateway " not in answers.configuration(configuration("sofia.conf"))
    assert "10.5.5.5/32" in answers.configuration(configuration("acl.conf"))


@pytest.mark.parametrize(
    "broken",
    [
        TrunkConfig(1, 1, "", register=True, username="u"), TrunkConfig(1, 1, "a b"), TrunkConfig(1, 1, "host;transport=tls"),
        TrunkConfig(1, 1, "host", username="a\nb"), TrunkConfig(1, 1, "host", password="\x00"),
        TrunkConfig(1, 1, "host", username="a>b"), TrunkConfig(1, 1, "host", register=True),
        TrunkConfig(1, 1, "host", outbound_proxy="<x>"),
    ],
)  # fmt: skip
def test_a_broken_trunk_does_not_take_the_others_with_it(answers: Answers, office: Office, broken: TrunkConfig) -> None:
    office.lines = [broken, TrunkConfig(2, 1, "[2001:db8::1]:5060")]
    root = ElementTree.fromstring(answers.configuration(configuration("sofia.conf")))
    assert [e.attrib["name"] for e in root.iter("gateway")] == [gateway_name(2)]


def test_the_trunk_side_is_open_only_while_an_address_is_unknown(answers: Answers, office: Office) -> None:
    def trunk_list() -> tuple[str, list[str]]:
        root = ElementTree.fromstring(answers.configuration(configuration("acl.conf")))
        [element] = root.iter("list")
        return element.attrib["default"], [node.attrib["cidr"] for node in element]

    assert trunk_list() == ("deny", [])
    office.lines = [
        TrunkConfig(1, 1, "a.test", addresses=("10.5.5.5", "10.6.0.0/16")),
        TrunkConfig(2, 2, addresses=("10.5.5.5",)),
    ]
    assert trunk_list() == ("deny", ["10.5.5.5/32", "10.6.0.0/16"])
    office.lines.append(TrunkConfig(3, 2, "c.test", addresses=("rubbish",)))
    assert trunk_list() == ("deny", ["10.5.5.5/32", "10.6.0.0/16"])
    office.lines.append(TrunkConfig(4, 2, "d.test"))
    assert trunk_list() == ("allow", [])


@pytest.mark.parametrize("name", ["switch.conf", "modules.conf", "event_socket.conf", ""])
def test_other_configuration_lies_with_the_switch(answers: Answers, name: str) -> None:
    assert answers.configuration(configuration(name)) == NOT_FOUND
