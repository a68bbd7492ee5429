"""Which image is meant, where etcd is in it, and what is said when there is none."""

from __future__ import annotations

import hashlib
import tarfile
from io import BytesIO
from pathlib import Path

import pytest
from etcd_sandbox.containers import build, image_chooser
from etcd_sandbox.errors import InputError
from etcd_sandbox.model.spec import EtcdBinary, Runtime
from etcd_sandbox.plan.runtimes.engine import Engine

from tests.unit.containers.conftest import FakeEngine

ENGINE = Engine(runtime=Runtime.PODMAN, program="/usr/bin/podman", options=("--user=0:0",))
OFFICIAL = "gcr.io/etcd-development/etcd:v"


def here(wish: str) -> EtcdBinary:
    """An etcd 3.5.1 on this machine, and no other."""
    if wish in ("", "3.5", "/opt/etcd"):
        return EtcdBinary(path="/opt/etcd", version="3.5.1", origin="on PATH")
    raise InputError(f"there is no etcd {wish} on this machine")


def nowhere(wish: str) -> EtcdBinary:
    raise InputError("there is no etcd on this machine")


def version(number: str) -> tuple[int, str, str]:
    return 0, f"etcd Version: {number}\nGit SHA: x\n", ""


def there(fake: FakeEngine) -> None:
    fake.answers["image inspect"] = (0, "sha256:0\n", "")


@pytest.mark.parametrize(
    ("wish", "release"),
    [("", "3.5.1"), ("3.5", "3.5.1"), ("/opt/etcd", "3.5.1"), ("3.4.45", "3.4.45")],
)
def test_the_official_image_of_the_chosen_version_is_the_default(
    fake: FakeEngine, wish: str, release: str
) -> None:
    there(fake)
    fake.answers["run"] = version(release)
    found = image_chooser(ENGINE, "", False, here)(wish)
    assert found.image == f"{OFFICIAL}{release}"
    assert (found.path, found.version) == ("/usr/local/bin/etcd", release)
    assert found.origin == f"image {OFFICIAL}{release}"


@pytest.mark.parametrize("wish", ["", "3.6"])
def test_without_any_etcd_on_this_machine_a_known_release_is_taken(
    fake: FakeEngine, wish: str
) -> None:
    there(fake)
    fake.answers["run"] = version("3.6.14")
    assert image_chooser(ENGINE, "", False, nowhere)(wish).image == f"{OFFICIAL}3.6.14"


def test_a_series_that_nobody_knows_a_release_of_is_refused(fake: FakeEngine) -> None:
    with pytest.raises(InputError, match="there is no etcd on this machine"):
        image_chooser(ENGINE, "", False, nowhere)("3.4")
    assert fake.asked == []


def test_an_etcd_elsewhere_is_found_on_the_images_path(fake: FakeEngine) -> None:
    there(fake)
    fake.answers["--entrypoint=/usr/local/bin/etcd"] = (127, "", "Error: not found")
    fake.answers["--entrypoint=etcd"] = version("3.5.9")
    found = image_chooser(ENGINE, "bitnami/etcd", False, here)("")
    assert (found.path, found.version, found.image) == ("etcd", "3.5.9", "bitnami/etcd")
    assert "--user=0:0" in fake.asked[-1]
    assert "--pull=never" in fake.asked[-1]


@pytest.mark.parametrize("answer", [(127, "", "not found"), (0, "hello\n", "")])
def test_an_image_that_tells_no_version_of_etcd_is_refused(
    fake: FakeEngine, answer: tuple[int, str, str]
) -> None:
    there(fake)
    fake.answers["run"] = answer
    with pytest.raises(InputError, match="there is no etcd in the image") as caught:
        image_chooser(ENGINE, "busybox", False, here)("")
    assert caught.value.where == "busybox"


def test_an_image_that_does_not_run_is_refused_with_the_engines_reason(fake: FakeEngine) -> None:
    there(fake)
    fake.answers["run"] = (125, "", "Error: no such device")
    with pytest.raises(InputError, match="cannot be run by podman: no such device"):
        image_chooser(ENGINE, "x", False, here)("")


def test_what_is_not_here_is_pulled_once(fake: FakeEngine) -> None:
    fake.answers["image inspect"] = (125, "", "Error: x: image not known")
    fake.answers["pull"] = (0, "sha256:0", "")
    fake.answers["run"] = version("3.5.1")
    image_chooser(ENGINE, "x", False, here)("")
    assert ["pull", "x"] in fake.asked


def test_what_cannot_be_pulled_names_the_way_without_an_image(fake: FakeEngine) -> None:
    fake.answers["image inspect"] = (1, "", "Error: No such image: x")
    fake.answers["pull"] = (125, "", "Error: initializing source: no such host")
    with pytest.raises(InputError, match="cannot pull it: initializing source: no such host") as it:
        image_chooser(ENGINE, "x", False, here)("")
    assert "--image-from-binary builds one" in it.value.hint


def test_a_broken_engine_is_not_taken_for_a_missing_image(fake: FakeEngine) -> None:
    fake.answers["image inspect"] = (125, "", "Error: the storage is locked")
    with pytest.raises(InputError, match="cannot look for images: the storage is locked"):
        image_chooser(ENGINE, "x", False, here)("")


@pytest.mark.parametrize("wish", ["3.6", "3.5.2", "/opt/etcd"])
def test_an_image_with_another_etcd_than_was_asked_for_is_refused(
    fake: FakeEngine, wish: str
) -> None:
    there(fake)
    fake.answers["run"] = version("3.5.1")
    with pytest.raises(InputError, match="is asked for, and the image has etcd 3"):
        image_chooser(ENGINE, "x", False, here)(wish)


def test_an_image_and_one_from_a_binary_contradict_each_other() -> None:
    with pytest.raises(InputError, match="contradict each other"):
        image_chooser(ENGINE, "x", True, here)


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What looks like a program for Linux, and loads one library."""
    path, library = tmp_path / "etcd", tmp_path / "libc.so.6"
    path.write_bytes(b"\x7fELF and so on")
    library.write_bytes(b"\x7fELF library")
    monkeypatch.setattr(build, "libraries", lambda _: [library])
    return path


def test_a_binary_becomes_an_image_once_named_by_version_and_content(
    fake: FakeEngine, program: Path
) -> None:
    binary = EtcdBinary(path=str(program), version="3.4.23+dfsg", origin="on PATH")
    digest = hashlib.sha256(program.read_bytes()).hexdigest()
    image = f"localhost/etcd-sandbox:3.4.23-dfsg-{digest[:12]}"
    fake.answers["image inspect"] = (125, "", "Error: image not known")
    fake.answers["import"] = (0, "sha256:0", "")
    fake.answers["run"] = version("3.4.23+dfsg")

    found = image_chooser(ENGINE, "", True, lambda _: binary)("")

    assert (found.image, found.path) == (image, "/usr/local/bin/etcd")
    assert [words[0] for words in fake.asked] == ["image", "import", "run"]
    fake.answers["image inspect"] = (0, "sha256:0", "")
    image_chooser(ENGINE, "", True, lambda _: binary)("")
    assert [words[0] for words in fake.asked] == ["image", "import", "run", "image"]


def test_a_binary_that_does_not_run_in_a_container_leaves_no_image(
    fake: FakeEngine, program: Path
) -> None:
    binary = EtcdBinary(path=str(program), version="3.5.1", origin="on PATH")
    fake.answers["image inspect"] = (125, "", "")
    fake.answers["import"] = (0, "", "")
    fake.answers["run"] = (127, "", "Error: no such file or directory")
    fake.answers["image rm"] = (0, "", "")
    with pytest.raises(InputError, match="does not run in a container of podman: no such file"):
        image_chooser(ENGINE, "", True, lambda _: binary)("")
    assert fake.asked[-1][:2] == ["image", "rm"]


def test_everybody_may_enter_the_directories_of_a_built_image(program: Path) -> None:
    layer = build._layer(program, build.libraries(program))
    with tarfile.open(fileobj=BytesIO(layer)) as archive:
        entries = {entry.name: entry for entry in archive.getmembers()}
        inside = archive.extractfile("./usr/local/bin/etcd")
        assert inside is not None
        assert inside.read() == program.read_bytes()
    assert {oct(entry.mode) for entry in entries.values()} == {"0o755"}
    assert all(entries[f"./{name}"].isdir() for name in ("usr", "usr/local", "usr/local/bin"))
    assert f".{program.parent}/libc.so.6" in entries


def test_a_program_for_another_system_is_refused(tmp_path: Path) -> None:
    program = tmp_path / "etcd"
    program.write_bytes(b"\xcf\xfa\xed\xfe macOS")
    with pytest.raises(InputError, match="only from a program for Linux"):
        build.libraries(program)
