# SPDX-License-Identifier: Apache-2.0
"""`python -m engine.cli.settings_doc`: write docs/settings.md from the settings' own descriptions; a test keeps both equal."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

from engine.errors import PluginError
from engine.plugin import loader
from engine.settings import described, documented

PLACE = Path(__file__).resolve().parents[2] / "docs" / "settings.md"
TYPES = {"str": "text", "int": "whole number", "float": "number", "bool": "`true` or `false`", "tuple[str, ...]": "list of texts"}

HEAD = """# Settings

Defaults, then one TOML file, then environment variables; the later wins. The file is the one named by `VATS_CONFIG`, else
`vats.toml` in the current folder, else none. Everything is checked once at start; a mistake stops it with one sentence that
names the setting.

A setting `switch.sip_port` stands in the file as

```toml
[switch]
sip_port = 5060
```

and in the environment as `VATS_SWITCH__SIP_PORT=5060` (upper case, two underscores between table and name; lists are separated by commas).
Plugins have tables of their own, `[plugins.<id>]` and `VATS_PLUGINS__<ID>__<NAME>`.

This page is written by `python -m engine.cli.settings_doc`; the descriptions live beside the settings, in `engine/settings.py`
and the plugins.
"""

Row = tuple[str, str, object, str]


def document() -> str:
    """The whole page. Raises PluginError when a plugin can't be loaded."""
    own: list[Row] = []
    for state in loader.find():
        if state.error:
            raise PluginError(f"The plugin {state.plugin.meta.id} can't be loaded: {state.error}")
        kind = state.plugin.settings()
        if kind is not None:
            own += described(f"plugins.{state.plugin.meta.id}", kind)
    return HEAD + "".join(_tables(documented())) + ("".join(_tables(own)) if own else "\nNo built-in plugin has settings of its own.\n")


def _tables(rows: Iterable[Row]) -> Iterable[str]:
    for section, fields in groupby(rows, key=lambda row: row[0].rpartition(".")[0]):
        yield f"\n## {section}\n\n| setting | value | default | what it does |\n| --- | --- | --- | --- |\n"
        for name, kind, default, text in fields:
            yield f"| `{name}` | {_kind(kind)} | {_value(default)} | {text.replace('|', '&#124;')} |\n"


def _kind(kind: str) -> str:
    return TYPES.get(kind) or ", ".join(f"`{choice}`" for choice in kind.split(" | "))


def _value(default: object) -> str:
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    if isinstance(default, tuple):
        default = ", ".join(str(one) for one in default)
    return f"`{default}`" if default != "" else "empty"


def main() -> int:
    PLACE.write_text(document(), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
