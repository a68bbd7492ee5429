"""How the house is built, where import contracts cannot say it: no cycle between files, none too long, one order of rooms."""

from __future__ import annotations

import ast
import tomllib
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import etcd_sandbox
import grimp
import pytest
from etcd_sandbox.model.spec import Runtime
from etcd_sandbox.verbs import VERBS

PACKAGE = Path(etcd_sandbox.__file__).parent
PROJECT = Path(__file__).parents[2] / "pyproject.toml"

NAMED_IN = 3
"""In so many files a verb may be named beside `verbs/`: the API, its live half, and one more."""

UPWARD = 4
"""So many imports may run from a room to one above it."""

LONGEST = 400
"""Lines: what one can have in one's head."""


@cache
def imports_of_each() -> dict[str, set[str]]:
    """Module → the modules of ours that it imports."""
    graph = grimp.build_graph("etcd_sandbox", exclude_type_checking_imports=True, cache_dir=None)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    # The package hands the API out lazily: whoever imports the package has imported nothing yet.
    imports["etcd_sandbox"] = set()
    return imports


@cache
def layers() -> tuple[tuple[str, ...], ...]:
    """The layers of the import contracts, the highest first: the faces', below them the supervisor's."""
    contracts = tomllib.loads(PROJECT.read_text())["tool"]["importlinter"]["contracts"]
    found = [layer for contract in contracts for layer in contract.get("layers", ())]
    return tuple(tuple(layer.split(" | ")) for layer in found)


def depth(module: str) -> int | None:
    """The layer of a module, counted from the highest; None for one that no contract names."""
    depths = {name: at for at, layer in enumerate(layers()) for name in layer}
    parts = module.split(".")
    around = (".".join(parts[:length]) for length in range(len(parts), 1, -1))
    return next((depths[name] for name in around if name in depths), None)


def test_no_more_than_four_imports_run_upwards() -> None:
    upward = [
        f"{module} imports {other}"
        for module, others in imports_of_each().items()
        for other in others
        if (own := depth(module)) is not None and (its := depth(other)) is not None and its < own
    ]
    assert len(upward) <= UPWARD, "\n".join(sorted(upward))


def test_every_room_has_its_place_in_the_contracts() -> None:
    placed = {name.split(".")[1] for layer in layers() for name in layer}
    rooms = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").is_file()}
    assert rooms <= placed


def test_no_file_imports_itself_by_way_of_others() -> None:
    imports = imports_of_each()
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))


def test_no_file_is_longer_than_one_can_have_in_ones_head() -> None:
    long = {
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        if len(path.read_text().splitlines()) > LONGEST
    }
    assert sorted(long) == []


WAYS = ("plan/ways/", "cluster/ways/", "inputs/options.py", "model/")
"""Where a way to start has its halves and its options; the model has the words themselves and their types."""

OTHER_SENSES = {
    # Flags that etcd has, by their names.
    "config/profileflags.py": "etcd's flags, and the hint that names the way",
    "etcd/flags.py": "etcd's flags",
    "etcd/memberflags.py": "etcd's flags",
    "plan/joining.py": "etcd's flags",
    # Processes and names of the machine.
    "export/compose.py": "the service of Compose that is our discovery service, with its own way to register",
    "export/profile.py": "the records that come from a user's file",
    "export/dnsmasq.py": "the exported records are those of the cluster where it has some",
    "export/exported.py": "etcd's flags, and the hint that names the way",
    "cli/prepare.py": "the finding about the machine's DNS",
    "learn/needs.py": "the words of lessons: what a lesson needs of the machine",
    "host/etcdctl.py": "reads a plan's JSON without its types, for the sake of the start",
    "plan/recorded.py": "the words of plans that older versions have written",
    # What readers are told of each way; the registry of such words has one line a way.
    "words/shown.py": "what status says of each way",
    "learn/record.py": "what a lesson says of each way",
    # The option list's other half: what an option's value is turned into before planning.
    "inputs/ways.py": "what is asked for and found before a way is planned",
}
"""Files that name such a word in a sense of their own, with that sense. None is to come."""


def _names_a_way(node: ast.AST) -> bool:
    words = ("static", "discovery", "dns")
    match node:
        case ast.Attribute(value=ast.Name(id="Bootstrap"), attr=name):
            return name.lower() in words
        case ast.Attribute(value=ast.Name(id="Service"), attr=name):
            return name.lower() in words
        case ast.Attribute(value=ast.Name(id="spec" | "running" | "wanted"), attr=name):
            return name in words
        case ast.Attribute(value=ast.Call(func=ast.Name(id="way_of")), attr=name):
            return name in words
        case ast.Compare(left=ast.Attribute(attr=name), comparators=[ast.Constant(value=None)]):
            return name in words
        case ast.Compare(left=ast.Name(id=name), comparators=[ast.Constant(value=None)]):
            return name in words
        case ast.Constant(value=str(text)):
            return text in words
    return False


def test_a_way_to_start_is_named_in_its_two_halves_and_the_option_list_only() -> None:
    found = {
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        if any(map(_names_a_way, ast.walk(ast.parse(path.read_text()))))
    }
    elsewhere = {file for file in found if not file.startswith(WAYS)}
    assert sorted(elsewhere) == sorted(OTHER_SENSES)


RUNTIMES = (
    "plan/runtimes/",
    "cluster/runtimes/",
    "containers/",
    "inputs/options.py",
    "model/",
)
"""Where a runtime has its halves, its engine on this machine, and its options; the model has the words themselves."""

OTHER_RUNTIMES = {
    "inputs/ways.py": "what is asked for and found before the members are planned",
    "words/shown.py": "reads status's JSON without its types, for the sake of the start",
    "learn/needs.py": "the words of lessons: what a lesson needs of the machine",
    "learn/stage.py": "the engine of lessons",
}
"""Files that name one of these words in a sense of their own, with that sense. None is to come."""


def _names_a_runtime(node: ast.AST) -> bool:
    words = {runtime.value for runtime in Runtime if runtime.containers}
    match node:
        case ast.Attribute(value=ast.Name(id="Runtime"), attr=name):
            return name in Runtime.__members__
        case ast.Attribute(attr="container" | "contained"):
            return True
        case ast.Compare(
            left=ast.Attribute(attr="runtime") | ast.Name(id="runtime"), comparators=[other]
        ):
            return isinstance(other, ast.Constant | ast.Tuple | ast.List)
        case ast.Name(id="Engine") | ast.Constant(value="Engine"):
            return True
        case ast.Constant(value=str(text)):
            return text in words
    return False


def test_a_runtime_is_named_in_its_two_halves_and_the_option_list_only() -> None:
    found = {
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        if any(map(_names_a_runtime, ast.walk(ast.parse(path.read_text()))))
    }
    elsewhere = {file for file in found if not file.startswith(RUNTIMES)}
    assert sorted(elsewhere) == sorted(OTHER_RUNTIMES)


OF_EVERY_DAY = {"start", "stop", "restart", "add", "remove", "replace"}
"""Verbs whose name is also a field of a file, a choice in a dialogue, a path of etcd's API."""


def verbs_named_in(source: str) -> set[str]:
    """The verbs that a program names: as a constant of `verbs` (`verbs.KILL`, `KILL`), or as a string.

    A string counts where it is the name and nothing else; one of every day only in a program that
    imports the verbs. What is prose is no use of a verb: sentences, docstrings, a method's name.
    """
    tree = ast.parse(source)
    imported: set[str] = set()
    strings: set[str] = set()
    handlers: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(module="etcd_sandbox.verbs", names=names):
                imported |= {each.name for each in names} | {"verbs"}
            case ast.ImportFrom(module="etcd_sandbox", names=names):
                imported |= {each.name for each in names if each.name == "verbs"}
            case ast.Attribute(value=ast.Name(id="verbs"), attr=name) if name.isupper():
                imported.add(name)
            case ast.Constant(value=str(word)):
                strings.add(word)
            case ast.keyword(arg="errors", value=ast.Constant(value=str(word))):
                handlers.add(word)
    constants = {name.lower().replace("_", "-") for name in imported if name.isupper()}
    words = strings - handlers if imported else strings - OF_EVERY_DAY
    return (constants | words) & set(VERBS)


def test_a_verb_is_named_in_no_more_than_three_files_beside_its_declaration() -> None:
    named: dict[str, set[str]] = {name: set() for name in VERBS}
    for path in PACKAGE.rglob("*.py"):
        file = str(path.relative_to(PACKAGE))
        # What runs processes has methods of these names, and engines commands; neither has verbs.
        if not file.startswith(("verbs/", "supervise/", "cluster/runtimes/")):
            for name in verbs_named_in(path.read_text()):
                named[name].add(file)
    assert {name: sorted(files) for name, files in named.items() if len(files) > NAMED_IN} == {}
