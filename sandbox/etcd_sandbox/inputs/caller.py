"""Who asks for a plan, what is read of the files that the caller means, and the plan that comes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from msgspec import Struct, field

from etcd_sandbox.config.inputfile import decode_input, is_readable_once, read_input
from etcd_sandbox.errors import InputError
from etcd_sandbox.inputs.options import Options
from etcd_sandbox.model.spec import RECORDS_FILE, VARIABLES_FILE, ClusterSpec, EtcdBinary

DEFAULT_ENV_FILE = ".env"

ChooseEtcd = Callable[[str], EtcdBinary]


class Planned(Struct, frozen=True):
    """A plan, the line that says where it came from, and the port locks that it needs."""

    spec: ClusterSpec
    says: str
    held: tuple[int, ...] = ()


class Caller(Struct, frozen=True, kw_only=True):
    """Where and by whom a plan is asked for. `choose_etcd` None: as SPEC's order says.

    `texts` are as in `Source`: those of a recorded plan, and those that are read while a plan is made.
    """

    cwd: Path
    env: Mapping[str, str]
    choose_etcd: ChooseEtcd | None = None
    texts: dict[str, str] = field(default_factory=dict)

    def root(self, options: Options) -> Path:
        """The directory that commands run in."""
        if options.basedir is None:
            return self.cwd
        root = self.cwd / options.basedir
        if not root.is_dir():
            raise InputError("there is no such directory", str(root), "check --basedir")
        return root

    def find(self, name: str, options: Options) -> Path:
        """The file that an option names."""
        # goreman changes into its base directory before it reads the Procfile.
        within = self.root(options) / name
        return within if within.exists() else self.cwd / name

    def read(self, path: Path, what: str) -> bytes:
        """The content of an input; what can be read only once is kept in `texts`."""
        # Two pipes of two commands may bear the same name.
        key = f"{what} {path}" if what in (VARIABLES_FILE, RECORDS_FILE) else str(path)
        if (text := self.texts.get(key)) is not None:
            return text.encode()
        data = read_input(path, what)
        if is_readable_once(path):
            self.texts[key] = decode_input(data, str(path), what)
        return data

    def records(self, name: str, options: Options) -> tuple[str, str]:
        """The text of a file of DNS records that an option names, and its path as a reader knows it."""
        path = self.find(name, options)
        shown = self.shown(path)
        return decode_input(self.read(path, RECORDS_FILE), shown, RECORDS_FILE), shown

    def shown(self, path: Path) -> str:
        """The path as a reader in this directory knows it."""
        return str(path.relative_to(self.cwd)) if path.is_relative_to(self.cwd) else str(path)

    def env_overlay(self, options: Options) -> dict[str, str]:
        """What the files of variables add to the environment."""
        from etcd_sandbox.config.inputfile import load_env

        if options.env_files is not None:
            files = [self.find(name, options) for name in options.env_files]
        else:
            files = [self.root(options) / DEFAULT_ENV_FILE]
            if not files[0].is_file():
                return {}
        named = [(self.shown(path), self.read(path, VARIABLES_FILE)) for path in files]
        texts = [(shown, decode_input(content, shown, VARIABLES_FILE)) for shown, content in named]
        return load_env(texts, self.env)

    def chooser(self, etcd: str | None) -> ChooseEtcd:
        """What finds an etcd by a wish; for no wish it is `etcd`, or the best."""
        if self.choose_etcd is not None:
            return self.choose_etcd
        from etcd_sandbox.etcd.release import choose

        return lambda wish: choose(wish or etcd or "")
