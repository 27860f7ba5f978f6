# SPDX-License-Identifier: Apache-2.0
"""docker-compose.yml against the rules of the compose specification that it uses, and against the settings it feeds."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from engine.settings import documented

ROOT = Path(__file__).parents[1]

NAME = "^[a-zA-Z0-9._-]+$"
DURATION = {"type": "string", "pattern": r"^(\d+(\.\d+)?(us|ms|s|m|h))+$"}
TEXTS = {"type": "array", "items": {"type": "string"}}
COMMAND = {"oneOf": [{"type": "null"}, {"type": "string"}, TEXTS]}
SCALAR = {"type": ["string", "number", "boolean", "null"]}
MAPPING_OR_LIST = {"oneOf": [{"type": "object", "additionalProperties": SCALAR}, TEXTS]}

SERVICE = {
    "type": "object",
    "additionalProperties": False,
    "patternProperties": {"^x-": {}},
    "anyOf": [{"required": ["image"]}, {"required": ["build"]}],
    # published ports mean nothing in the host's network; docker refuses the pair
    "not": {"required": ["network_mode", "ports"]},
    "properties": {
        "image": {"type": "string", "minLength": 1},
        "build": {
            "oneOf": [
                {"type": "string"},
                {
                    "type": "object",
                    "additionalProperties": False,
                    "properties": {"context": {"type": "string"}, "dockerfile": {"type": "string"}, "args": MAPPING_OR_LIST},
                },
            ]
        },
        "restart": {"enum": ["no", "always", "on-failure", "unless-stopped"]},
        "network_mode": {"type": "string"},
        "init": {"type": "boolean"},
        "user": {"type": "string"},
        "stop_grace_period": DURATION,
        "entrypoint": COMMAND,
        "command": COMMAND,
        "environment": MAPPING_OR_LIST,
        "volumes": {"type": "array", "uniqueItems": True, "items": {"type": "string", "pattern": r"^[^:]+:/[^:]+(:(ro|rw))?$"}},
        "ports": {"type": "array", "uniqueItems": True, "items": {"type": "string"}},
        "ulimits": {"type": "object", "additionalProperties": {"type": "integer"}},
        "depends_on": {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "additionalProperties": False,
                "required": ["condition"],
                "properties": {
                    "condition": {"enum": ["service_started", "service_healthy", "service_completed_successfully"]},
                    "restart": {"type": "boolean"},
                    "required": {"type": "boolean"},
                },
            },
        },
        "healthcheck": {
            "type": "object",
            "additionalProperties": False,
            "required": ["test"],
            "properties": {
                "test": {"type": "array", "items": {"type": "string"}, "minItems": 2, "prefixItems": [{"enum": ["CMD", "CMD-SHELL"]}]},
                "interval": DURATION,
                "timeout": DURATION,
                "start_period": DURATION,
                "retries": {"type": "integer", "minimum": 1},
            },
        },
    },
}

COMPOSE = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "additionalProperties": False,
    "required": ["services"],
    "patternProperties": {"^x-": {}},
    "properties": {
        "name": {"type": "string", "pattern": "^[a-z0-9][a-z0-9_-]*$"},
        "services": {"type": "object", "additionalProperties": False, "patternProperties": {NAME: SERVICE}},
        "volumes": {"type": "object", "additionalProperties": False, "patternProperties": {NAME: {"type": ["object", "null"]}}},
    },
}


@pytest.fixture(scope="module")
def text() -> str:
    return (ROOT / "docker-compose.yml").read_text("utf-8")


@pytest.fixture(scope="module")
def compose(text: str) -> dict[str, Any]:
    tree = yaml.safe_load(text)
    assert isinstance(tree, dict)
    return tree


def interpolate(text: str, environment: dict[str, str]) -> str:
    """The compose specification's `${NAME:-default}` and `${NAME:?message}`; raises KeyError for what must be set."""

    def value(match: re.Match[str]) -> str:
        name, operator, rest = match["name"], match["operator"], match["rest"]
        if environment.get(name):
            return environment[name]
        if operator == ":-":
            return rest
        raise KeyError(name)

    return re.sub(r"\$\{(?P<name>[A-Z_0-9]+)(?:(?P<operator>:-|:\?)(?P<rest>[^}]*))?\}", value, text)


REQUIRED = {"FREESWITCH_IMAGE", "VATS_ESL_PASSWORD", "VATS_DIRECTORY_SECRET", "VATS_POSTGRES_PASSWORD"}


def test_the_schema_itself_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(COMPOSE)


def test_it_is_a_compose_file_before_and_after_interpolation(compose: dict[str, Any], text: str) -> None:
    jsonschema.Draft202012Validator(COMPOSE).validate(compose)
    filled = yaml.safe_load(interpolate(text, dict.fromkeys(REQUIRED, "x")))
    jsonschema.Draft202012Validator(COMPOSE).validate(filled)
    assert set(filled["services"]) == {"vats", "postgres", "freeswitch"}


@pytest.mark.parametrize(
    ("service", "change"),
    [
        ("vats", {"ports": ["8080:8080"]}), ("vats", {"depends_on": {"postgres": {"condition": "healthy"}}}),
        ("freeswitch", {"volume": []}), ("freeswitch", {"restart": "sometimes"}), ("postgres", {"healthcheck": {"interval": "5s"}}),
        ("postgres", {"volumes": ["database"]}), ("vats", {"stop_grace_period": "20"}),
    ],
)  # fmt: skip
def test_the_schema_finds_mistakes(text: str, service: str, change: dict[str, Any]) -> None:
    tree = yaml.safe_load(text)
    tree["services"][service] |= change
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(COMPOSE).validate(tree)


@pytest.mark.parametrize("name", sorted(REQUIRED))
def test_what_has_no_safe_default_must_be_given(text: str, name: str) -> None:
    with pytest.raises(KeyError, match=name):
        interpolate(text, dict.fromkeys(REQUIRED - {name}, "x"))


def test_the_switch_is_nobodys_image(compose: dict[str, Any]) -> None:
    assert compose["services"]["freeswitch"]["image"].startswith("${FREESWITCH_IMAGE:?")


def test_everything_referred_to_exists(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        assert set(service.get("depends_on", {})) <= set(compose["services"])
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert (ROOT / source).is_dir() if source.startswith(".") else source in compose["volumes"]
    for name, service in compose["services"].items():
        for other, how in service.get("depends_on", {}).items():
            if how["condition"] == "service_healthy":
                assert "healthcheck" in compose["services"][other], f"{name} waits for the health of {other}"


def test_vats_is_given_only_settings_that_exist(compose: dict[str, Any]) -> None:
    settings = {"VATS_" + name.upper().replace(".", "__") for name, *_ in documented()}
    assert set(compose["services"]["vats"]["environment"]) <= settings


def test_both_see_the_same_media_and_secrets(compose: dict[str, Any]) -> None:
    vats, switch = (compose["services"][name] for name in ("vats", "freeswitch"))
    shared = [name for name in vats["environment"] if name in switch["environment"]]
    assert {"VATS_SWITCH__ESL_PASSWORD", "VATS_DIRECTORY__SECRET", "VATS_SWITCH__SIP_PORT"} <= set(shared)
    assert all(vats["environment"][name] == switch["environment"][name] for name in shared)
    assert "media:/var/lib/vats/media" in vats["volumes"]
    assert "media:/var/lib/vats/media" in switch["volumes"]
    assert vats["environment"]["VATS_MEDIA__ROOT"] == switch["environment"]["VATS_MEDIA__ROOT_ON_SWITCH"] == "/var/lib/vats/media"
    assert "10001" in switch["user"]
    assert "--uid 10001" in (ROOT / "Dockerfile").read_text("utf-8")


def test_the_switch_is_given_only_variables_it_reads(compose: dict[str, Any]) -> None:
    read = set(re.findall(r'cmd="env-set" data="\w+=\$(\w+)"', (ROOT / "deploy/freeswitch/freeswitch.xml").read_text("utf-8")))
    assert set(compose["services"]["freeswitch"]["environment"]) <= read
    described = set(re.findall(r"`(VATS_\w+[A-Z])`", (ROOT / "deploy/freeswitch/README.md").read_text("utf-8")))
    assert described == read


def test_the_switch_keeps_nothing_outside_its_volume(compose: dict[str, Any]) -> None:
    command = compose["services"]["freeswitch"]["command"]
    places = dict(itertools.pairwise(command))
    for name in ("log", "db", "run", "temp", "recordings", "storage", "cache", "scripts", "sounds", "certs"):
        assert places[f"-{name}"].startswith("/var/lib/vats/switch/")
