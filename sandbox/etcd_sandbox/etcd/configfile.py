"""etcd's `--config-file`: YAML with the names of flags as keys."""

from __future__ import annotations

from etcd_sandbox.etcd.goflags import Options

_TLS_SECTIONS = {"client-transport-security": "", "peer-transport-security": "peer-"}
_DISCOVERY_SECTION = {"endpoints": "discovery-endpoints", "token": "discovery-token"}


def read_config(text: str, where: str) -> Options:
    """The options of the file's text as if they had been flags; `where` is named in problems."""
    import yaml

    options = Options()
    try:
        # BaseLoader makes nothing but text, lists and mappings: a token such as 12:30 stays text.
        read = yaml.load(text, Loader=yaml.BaseLoader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        options.problems.append(f"the config file is not YAML, {where}: {_first_line(error)}")
        return options
    if not isinstance(read, dict):
        if read is not None and read != "":
            options.problems.append(f"the config file holds no options, {where}")
        return options
    for key, value in read.items():
        if not isinstance(value, dict):
            _take(options, str(key), value)
        elif (prefix := _TLS_SECTIONS.get(str(key))) is not None:
            for inner, setting in value.items():
                _take(options, f"{prefix}{inner}", setting)
        elif key == "discovery-config":
            for inner, setting in value.items():
                _take(options, _DISCOVERY_SECTION.get(str(inner), str(inner)), setting)
    return options


def _take(options: Options, name: str, value: object) -> None:
    """A setting of text, or a list of them; deeper ones are none of etcd's."""
    if isinstance(value, list):
        options.values[name] = ",".join(item for item in value if isinstance(item, str))
    elif isinstance(value, str):
        options.values[name] = value


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
