"""A Compose file's YAML: every string comes back as it was, whoever reads it."""

from __future__ import annotations

import re
from typing import Any

import yaml

_PLAIN = re.compile(r"(--|[A-Za-z/])[ -~]*")


def compose_yaml(document: dict[str, Any]) -> str:
    """The document in its order, without variables for Compose to replace."""
    return yaml.dump(
        _escaped(document), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=2**20
    )


class _Dumper(yaml.SafeDumper):
    """Quotes all that another YAML than PyYAML's might take for a number or a word of its own."""


def _string(dumper: _Dumper, text: str) -> yaml.Node:
    style = None if _PLAIN.fullmatch(text) else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _string)


def _escaped(value: Any) -> Any:
    """Without variables: Compose would put its own in the place of `$NAME`."""
    if isinstance(value, str):
        return value.replace("$", "$$")
    if isinstance(value, dict):
        return {key: _escaped(inner) for key, inner in value.items()}
    return [_escaped(inner) for inner in value] if isinstance(value, list) else value
