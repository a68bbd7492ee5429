"""etcd-sandbox: run a real etcd cluster on one machine, break it on purpose, understand what happens."""

from __future__ import annotations

TYPE_CHECKING = False
"""As in `typing`, whose import would take longer than the rest: an interrupt that comes before `__main__` is Python's."""

if TYPE_CHECKING:
    from etcd_sandbox.api.async_cluster import AsyncCluster
    from etcd_sandbox.api.cluster import Cluster
    from etcd_sandbox.errors import InputError, NotRunning, SandboxError, TimedOut
    from etcd_sandbox.model.verdict import NotSettled, Verdict

__version__ = "0.1.0"

__all__ = [
    "AsyncCluster",
    "Cluster",
    "InputError",
    "NotRunning",
    "NotSettled",
    "SandboxError",
    "TimedOut",
    "Verdict",
    "__version__",
]

_PLACES = {
    "AsyncCluster": "etcd_sandbox.api.async_cluster",
    "Cluster": "etcd_sandbox.api.cluster",
    "InputError": "etcd_sandbox.errors",
    "NotRunning": "etcd_sandbox.errors",
    "NotSettled": "etcd_sandbox.model.verdict",
    "SandboxError": "etcd_sandbox.errors",
    "TimedOut": "etcd_sandbox.errors",
    "Verdict": "etcd_sandbox.model.verdict",
}


if not TYPE_CHECKING:  # a type checker knows the names by the imports above

    def __getattr__(name: str) -> object:
        """The Python API, imported when it is asked for: every command imports this package."""
        from importlib import import_module

        if name not in _PLACES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(_PLACES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
