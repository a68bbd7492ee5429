"""Asks members through etcd's JSON gateway, each question with a deadline of its own."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from datetime import UTC, datetime
from functools import partial

import msgspec

from etcd_sandbox.etcd.answers import (
    NO_ANSWER,
    UNKNOWN_TOKEN,
    Added,
    Hashed,
    Identity,
    Refusal,
    StatusAnswer,
    hashed_in,
    number,
    pairs_in,
    peers_in,
    raft_members_in,
    read_identity,
    read_metrics,
    refusal_in,
    status_in,
    wants_token,
)
from etcd_sandbox.etcd.exchange import TROUBLE, Exchange, tls_context
from etcd_sandbox.etcd.login import Login
from etcd_sandbox.etcd.troubles import LATE, NOT_ETCD, certificate_trouble, trouble_words
from etcd_sandbox.etcd.version import hex_id, parse
from etcd_sandbox.model.access import Credentials, as_text
from etcd_sandbox.model.state import Metrics, Peer

_OK, _NOT_FOUND = 200, 404
_NOT_ALLOWED = (3, 7, 16)
"""With authentication on: no user, one without the right, a token that is none (gRPC's codes).

A quorum stands behind such a refusal: etcd looks at a read's user when the read index is confirmed, and
at a write's when the proposal is applied (3.4 to 3.7: `v3_server.go`; measured: without a quorum both
time out instead)."""

_NO_SPACE = 8
"""While the alarm NOSPACE is up every put is refused, whatever else is the case (gRPC's RESOURCE_EXHAUSTED)."""

_NO_SUCH_METHOD: dict[str, object] = {"code": 5}
_ZERO_KEY = "AA=="

_APPLIES_S = 0.02
"""How soon a follower that does not know a new token is asked again."""


class Gateway:
    """One HTTP client for all members. Trouble with a member is an answer (None, False), never an exception."""

    def __init__(
        self, client_cert: str = "", client_key: str = "", user: Credentials | None = None
    ) -> None:
        """`client_cert` and `client_key` are paths, for members that ask for a certificate.

        `user` logs in where authentication is on. Raises InputError when the certificate cannot be
        loaded. The members' own certificates are not checked: all of them are on this machine.
        """
        context = partial(tls_context, client_cert, client_key)
        if client_cert:
            loaded = context()
            self._http = Exchange(lambda: loaded)
        else:
            self._http = Exchange(context)
        self.login = Login(self._http)
        self.login.become(user)
        self.authentication: bool | None = None
        """Whether authentication is on, by the last answer that tells; None while none has."""
        self._troubles: dict[str, str] = {}

    async def aclose(self) -> None:
        """Close all connections."""
        self.login.close()
        await self._http.aclose()

    def trouble(self, client_url: str) -> str | None:
        """Why the last question there had no answer of an etcd, in words; None where it had one."""
        return self._troubles.get(client_url)

    def certificate_trouble(self, client_url: str) -> str | None:
        """Why clients refuse the certificate that the member last showed; None where they do not."""
        shown = self._http.certificate(client_url)
        return certificate_trouble(shown, datetime.now(UTC)) if shown else None

    async def status(self, client_url: str, timeout_s: float) -> StatusAnswer | Refusal | None:
        """The member's own view, or why it does not tell; None when it does not answer in time.

        Local and cheap.
        """
        answer = await self._answer(client_url, "maintenance/status", {}, timeout_s)
        if answer is None:
            return None
        if "code" in answer and answer != _NO_SUCH_METHOD:
            return refusal_in(answer)
        told = status_in(answer)
        if told is None:
            self._troubles[client_url] = NOT_ETCD
        return told

    async def hash_kv(self, client_url: str, timeout_s: float, revision: int = 0) -> Hashed | None:
        """The hash of the keys up to `revision` (0: the latest); None when there is no answer.

        Members without `hashkv` (3.4, early 3.5) give the hash of the whole database instead.
        """
        clock = asyncio.get_running_loop().time
        deadline = clock() + timeout_s
        body = {"revision": str(revision)}
        answer = await self._ask(client_url, "maintenance/hashkv", body, timeout_s)
        of_keys = answer != _NO_SUCH_METHOD
        if not of_keys:
            answer = await self._ask(client_url, "maintenance/hash", {}, deadline - clock())
        return hashed_in(answer, of_keys=of_keys) if answer is not None else None

    async def linearizable_read(self, client_url: str, timeout_s: float) -> bool:
        """Whether a read that needs a quorum is served in time. It changes nothing.

        A reader without rights is served none the less: a quorum stands behind the refusal. So it
        needs no token, for which etcd would wait seven seconds where nobody leads.
        """
        body = {"key": _ZERO_KEY, "count_only": True}
        answer = await self._exchanged(client_url, "kv/range", body, timeout_s)
        self._note_authentication("kv/range", answer)
        return _served(answer)

    async def empty_write(self, client_url: str, timeout_s: float) -> bool | None:
        """Whether a write that changes nothing is acknowledged in time; None when it is not allowed.

        A transaction that could write, under a condition that never holds: it goes through Raft like
        any other, no key is written, and the revision stays (etcd 3.4 to 3.7).
        """
        never = {"key": _ZERO_KEY, "target": "VERSION", "result": "LESS", "version": "0"}
        put = {"request_put": {"key": _ZERO_KEY, "value": ""}}
        body = {"compare": [never], "success": [put]}
        answer = await self._answer(client_url, "kv/txn", body, timeout_s)
        if answer is not None and number(answer, "code") in (*_NOT_ALLOWED, _NO_SPACE):
            return None
        return answer is not None and "header" in answer

    async def count(self, client_url: str, revision: int, timeout_s: float) -> int | None:
        """How many keys there were at that revision, as the member has it; None when it does not say."""
        keys = {"key": _ZERO_KEY, "range_end": _ZERO_KEY}
        body = {**keys, "count_only": True, "serializable": True, "revision": str(revision)}
        answer = await self._ask(client_url, "kv/range", body, timeout_s)
        return number(answer, "count") if answer is not None and "header" in answer else None

    async def pairs(
        self, client_url: str, key: str, timeout_s: float, *, prefix: bool
    ) -> tuple[tuple[str, str], ...] | None:
        """A key with its value, or all that begin so, as the member has them; None when it does not say."""
        body: dict[str, object] = {"key": _base64(key), "serializable": True}
        if prefix:
            body["range_end"] = _base64(key[:-1] + chr(ord(key[-1]) + 1))
        answer = await self._ask(client_url, "kv/range", body, timeout_s)
        return None if answer is None or "header" not in answer else pairs_in(answer)

    async def snapshot(self, client_url: str, silence_s: float) -> AsyncGenerator[bytes, None]:
        """The member's database and its sha256, piece by piece: what `etcdctl snapshot save` writes.

        It is the member's own: no quorum is asked. Raises SandboxError with etcd's reason, or when
        the member ends in the middle; TimedOut when it says nothing for `silence_s` seconds.
        """
        from etcd_sandbox.etcd.snapshotstream import pieces

        await self.login.renew(client_url, None, silence_s)
        stream_of = pieces(self._http, client_url, silence_s, self.login.headers)
        async with aclosing(stream_of) as stream:
            async for piece in stream:
                yield piece

    async def put(self, client_url: str, key: str, value: str, timeout_s: float) -> bool:
        """Whether a write is acknowledged in time; one that is not may have happened all the same.

        A writer without rights is served none the less: its proposal was applied, and refused then.
        """
        named = {"key": _base64(key), "value": _base64(value)}
        return _served(await self._answer(client_url, "kv/put", named, timeout_s))

    async def move_leader(self, leader_url: str, member_id: str, timeout_s: float) -> str | None:
        """Have the leader hand over to that member (unpadded hex); None, or why it did not."""
        body = {"targetID": str(int(member_id, 16))}
        answer = await self._answer(leader_url, "maintenance/transfer-leadership", body, timeout_s)
        if answer is None:
            return self._no_answer(leader_url).message
        return str(answer.get("message") or answer.get("error")) if "code" in answer else None

    async def settle(self, client_url: str, timeout_s: float) -> None:
        """Have the members write down what they have agreed on, by an entry of the log that does nothing.

        etcd writes that an entry is committed with the next entry (raft's `MustSync`): a cluster of
        two that is killed right after one was removed would wait for that one for ever. A lease that
        is granted is an entry, and no key and no revision; it is revoked again.
        """
        granted = await self._ask(client_url, "lease/grant", {"TTL": "5"}, timeout_s)
        if granted is not None and str(granted.get("ID", "")).isdigit():
            await self._ask(client_url, "lease/revoke", {"ID": granted["ID"]}, timeout_s)

    async def cluster_version(self, client_url: str, timeout_s: float) -> str | None:
        """The version that the cluster has agreed on (`3.5.0`), as that member has it; None while
        it knows none, or when it does not answer in time."""
        answer = await self._got(f"{client_url}/version", timeout_s)
        version = answer.get("etcdcluster") if isinstance(answer, dict) else None
        return version if isinstance(version, str) and parse(version) else None

    async def members(self, client_url: str, timeout_s: float) -> tuple[Peer, ...] | None:
        """The member list as that member has it; None when it does not answer in time."""
        answer = await self._ask(client_url, "cluster/member/list", {}, timeout_s)
        return None if answer is None else peers_in(answer)

    async def members_told_to_peers(
        self, peer_url: str, timeout_s: float
    ) -> tuple[Peer, ...] | None:
        """The member list as the member has it for its peers; None when it does not answer in time.

        A learner tells clients nothing of it, and nobody needs a user for it (`etcdhttp/peer.go`).
        """
        return peers_in({"members": await self._got(f"{peer_url}/members", timeout_s)})

    async def raft_members(self, client_url: str, timeout_s: float) -> frozenset[str] | None:
        """The IDs of those whom Raft knows; None where that member does not lead, or does not answer."""
        return raft_members_in(await self._got(f"{client_url}/debug/vars", timeout_s))

    async def _got(self, url: str, timeout_s: float) -> object:
        """The JSON that a GET there gives; None when there is none in time."""
        page = await self._page(url, timeout_s)
        try:
            return None if page is None else json.loads(page)
        except (ValueError, RecursionError):
            return None

    async def add_member(
        self, client_url: str, peer_url: str, timeout_s: float, *, learner: bool
    ) -> Added | Refusal:
        """Have a member with this peer URL on the list, with `learner` without a vote."""
        body = {"peerURLs": [peer_url], "isLearner": learner}
        answer = await self._change(client_url, "add", body, timeout_s)
        if isinstance(answer, Refusal):
            return answer
        added = answer.get("member")
        new_id = number(added, "ID") if isinstance(added, dict) else 0
        return Added(id=hex_id(new_id), members=peers_in(answer) or ())

    async def change_member(
        self, client_url: str, change: str, member_id: str, timeout_s: float, **more: object
    ) -> Refusal | None:
        """`promote`, `remove` or `update` a member (unpadded hex); None, or why not."""
        body = {"ID": str(int(member_id, 16)), **more}
        answer = await self._change(client_url, change, body, timeout_s)
        return answer if isinstance(answer, Refusal) else None

    async def _change(
        self, client_url: str, change: str, body: Mapping[str, object], timeout_s: float
    ) -> dict[str, object] | Refusal:
        answer = await self._answer(client_url, f"cluster/member/{change}", body, timeout_s)
        if answer is None:
            return self._no_answer(client_url)
        if "code" in answer:
            # Every etcd has these methods: what is not there is the member.
            return refusal_in(answer, "etcdserver: member not found")
        return answer

    def _no_answer(self, client_url: str) -> Refusal:
        """The refusal that stands for a missing answer: why the member gave none."""
        return Refusal(code=NO_ANSWER, message=f"it {self._troubles.get(client_url, LATE)}")

    async def _ask(
        self, client_url: str, method: str, body: Mapping[str, object], timeout_s: float
    ) -> dict[str, object] | None:
        """The answer's JSON object; None when there is none in time, or it is an error.

        _NO_SUCH_METHOD when this etcd does not have it.
        """
        answer = await self._answer(client_url, method, body, timeout_s)
        if answer is not None and "code" in answer and answer != _NO_SUCH_METHOD:
            return None
        return answer

    async def metrics(self, metrics_url: str, timeout_s: float) -> Metrics | None:
        """The member's figures from where it publishes them; None when it does not answer in time.

        It costs the member some 30 ms: not to be asked more than once a second.
        """
        page = await self._page(f"{metrics_url}/metrics", timeout_s)
        return None if page is None else read_metrics(page)

    async def identity(self, metrics_url: str, timeout_s: float) -> Identity | None:
        """The member's identity and whether it has a leader, from its metrics, which ask for no user.

        As costly as `metrics`.
        """
        page = await self._page(f"{metrics_url}/metrics", timeout_s)
        return None if page is None else read_identity(page)

    async def _page(self, url: str, timeout_s: float) -> bytes | None:
        """The page that a GET there gives; None when there is none in time."""
        try:
            async with asyncio.timeout(timeout_s):
                status, page = await self._http.send("GET", url, b"")
        except TROUBLE:
            return None
        return page if status == _OK else None

    async def _answer(
        self, client_url: str, method: str, body: Mapping[str, object], timeout_s: float
    ) -> dict[str, object] | None:
        """The answer's JSON object, of an error too; None when there is none in time."""
        deadline = time.monotonic() + timeout_s
        answer, renewed = None, False
        while True:
            token, left_s = self.login.token, deadline - time.monotonic()
            told = await self._exchanged(client_url, method, body, left_s)
            if told is None:
                return answer
            answer = told
            self._note_authentication(method, answer)
            if "code" not in answer or self.login.user is None:
                return answer
            refusal, left_s = refusal_in(answer), deadline - time.monotonic()
            if not wants_token(refusal.code, refusal.message):
                return answer
            not_applied = UNKNOWN_TOKEN in refusal.message and self.login.is_fresh(token)
            if not_applied and left_s > _APPLIES_S:
                await asyncio.sleep(_APPLIES_S)
            elif renewed or not await self.login.renew(client_url, token, left_s):
                return answer
            else:
                renewed = True

    def _note_authentication(self, method: str, answer: dict[str, object] | None) -> None:
        if answer is None:
            return
        if "code" in answer:
            if refusal_in(answer).is_about_users:
                self.authentication = True
        elif method.startswith("kv/") and self.login.token is None:
            self.authentication = False

    async def _exchanged(
        self, client_url: str, method: str, body: Mapping[str, object], timeout_s: float
    ) -> dict[str, object] | None:
        try:
            async with asyncio.timeout(timeout_s):
                status, text = await self._http.send(
                    "POST",
                    f"{client_url}/v3/{method}",
                    msgspec.json.encode(body, enc_hook=as_text),
                    headers=self.login.headers,
                )
        except TROUBLE as error:
            self._troubles[client_url] = trouble_words(error)
            return None
        try:
            answer = json.loads(text)
        except (ValueError, RecursionError):
            answer = None
        # An unknown path is the one case that only the status tells: 3.4 answers it with text.
        if status == _NOT_FOUND and (not isinstance(answer, dict) or "code" in answer):
            self._troubles.pop(client_url, None)
            return _NO_SUCH_METHOD
        if not isinstance(answer, dict):
            self._troubles[client_url] = NOT_ETCD
            return None
        self._troubles.pop(client_url, None)
        return answer


def _served(answer: dict[str, object] | None) -> bool:
    return answer is not None and ("header" in answer or number(answer, "code") in _NOT_ALLOWED)


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
