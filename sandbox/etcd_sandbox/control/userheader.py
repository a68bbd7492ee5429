"""The user of etcd that a request of the control API names: the members are asked as that user from then on."""

from __future__ import annotations

import binascii
from base64 import b64decode
from typing import TYPE_CHECKING

from etcd_sandbox.control.requests import USER_HEADER
from etcd_sandbox.errors import SandboxError
from etcd_sandbox.model.access import Credentials

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from etcd_sandbox.cluster.cluster import Cluster

_NAME = USER_HEADER.lower().encode()


class UserHeader:
    """Hands the header on to the cluster, and the request to the application.

    A header that names nobody is passed over: whoever writes it has checked the user before.
    """

    def __init__(self, app: ASGIApp, cluster: Cluster) -> None:
        self._app = app
        self._cluster = cluster

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        for name, value in scope.get("headers", ()):
            if name == _NAME:
                try:
                    user = Credentials.parse(b64decode(value, validate=True).decode())
                    self._cluster.become(user)
                except (SandboxError, binascii.Error, UnicodeDecodeError):
                    pass
        await self._app(scope, receive, send)
