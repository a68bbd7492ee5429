"""How the house is built, where import contracts cannot say it: no cycle between files, none too long."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import etcd_sandbox
import grimp
import pytest

PACKAGE = Path(etcd_sandbox.__file__).parent

LONGEST = 400
"""Lines: what one can have in one's head."""

STILL_LONGER = {"cluster/cluster.py", "tui/app.py"}
"""Those that are to be cut; a file that has been leaves this list, and none is to come."""


def test_no_file_imports_itself_by_way_of_others() -> None:
    graph = grimp.build_graph("etcd_sandbox", exclude_type_checking_imports=True, cache_dir=None)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    # The package hands the API out lazily: whoever imports the package has imported nothing yet.
    imports["etcd_sandbox"] = set()
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
    assert sorted(long) == sorted(STILL_LONGER)
