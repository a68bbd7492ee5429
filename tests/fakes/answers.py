"""What an etcd that is a model answers to clients, over JSON and HTTP.

The texts and codes are etcd's own, read off 3.4.23 and 3.6.16 (`tests/etcd/test_fake_and_real.py` compares).
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from typing import TYPE_CHECKING, Any

from etcd_sandbox.etcd.version import cluster_id, member_id, parse

from tests.fakes.messages import changes
from tests.fakes.store import ALREADY, Change

if TYPE_CHECKING:
    from tests.fakes.etcd import FakeEtcd

ANSWERS_S = 0.0005
CONNECTED_S = 5.0

_STATUS = {3: 400, 5: 404, 7: 403, 8: 429, 9: 400, 14: 503, 16: 401}


class Refused(Exception):
    """etcd's refusal: gRPC's code, and the text without its prefix."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = f"etcdserver: {text.removeprefix('etcdserver: ')}"


class Answers:
    """The answers of one member."""

    def __init__(self, etcd: FakeEtcd) -> None:
        self._etcd = etcd

    async def answer(self, method: str, url: str, body: bytes, token: str) -> tuple[int, bytes]:
        """What it answers; never, while it is frozen or has no quorum yet. Reset when it ends."""
        await self._etcd.resumed.wait()
        target = "/" + url.split("/", 3)[3]
        await asyncio.sleep(ANSWERS_S)
        if target == "/metrics":
            return 200, self._metrics()
        await self._etcd.serves.wait()
        await self._etcd.resumed.wait()
        if target == "/version":
            told = {
                "etcdserver": self._etcd.version,
                "etcdcluster": self._etcd.store.version or "not_decided",
            }
            return 200, json.dumps(told).encode()
        try:
            told = await self._told(target.removeprefix("/v3/"), json.loads(body or b"{}"), token)
        except Refused as refused:
            error = {"code": refused.code, "message": refused.text}
            return _STATUS[refused.code], json.dumps(error).encode()
        except LookupError:
            return 404, b'{"code":5,"message":"Not Found"}'
        await self._etcd.resumed.wait()
        await asyncio.sleep(ANSWERS_S)
        return 200, json.dumps(told).encode()

    async def _told(self, method: str, asked: dict[str, Any], token: str) -> dict[str, Any]:
        own = {
            "maintenance/status": self._status,
            "maintenance/transfer-leadership": self._transfer,
            "maintenance/hashkv": self._hash,
            "maintenance/hash": self._hash,
            "cluster/member/list": self._list,
            "cluster/member/add": self._add,
            "cluster/member/remove": self._remove,
            "cluster/member/promote": self._promote,
            "cluster/member/update": self._update,
            "kv/range": self._range,
            "kv/put": self._put,
            "kv/txn": self._write,
            "lease/grant": self._grant,
            "lease/revoke": self._revoke,
            "auth/authenticate": self._authenticate,
        }[method]
        stranger = self._etcd.store.authentication and token not in self._etcd.machine.tokens
        if stranger and (
            method.startswith(("kv/", "cluster/member/"))
            or (method.startswith("maintenance/") and self._keeps_to_itself)
        ):
            if method.startswith("kv/"):
                await own(asked)  # a quorum stands behind the refusal
            raise Refused(3, "user name is empty")
        return await own(asked)

    @property
    def _keeps_to_itself(self) -> bool:
        version = parse(self._etcd.version)
        return (3, 5, 28) <= version < (3, 6) or version >= (3, 6, 9)

    def _header(self, **more: object) -> dict[str, Any]:
        assert self._etcd.raft is not None
        founders = [
            change.id
            for change in changes(self._etcd.raft.disk.log)
            if change.kind == "add" and not change.number
        ]
        return {
            "cluster_id": str(int(cluster_id(founders), 16)),
            "member_id": str(int(self._etcd.id, 16)),
            "revision": str(self._etcd.store.revision),
            "raft_term": str(self._etcd.raft.disk.term),
            **more,
        }

    async def _status(self, asked: dict[str, Any]) -> dict[str, Any]:
        assert self._etcd.raft is not None
        raft = self._etcd.raft
        errors = [
            f"memberID:{int(each, 16)} alarm:{kind} "
            for each, kind in sorted(self._etcd.store.alarms)
        ]
        told: dict[str, Any] = {
            "header": self._header(),
            "version": self._etcd.version,
            "dbSize": "20480",
            "raftIndex": str(raft.disk.committed),
            "raftTerm": str(raft.disk.term),
            "raftAppliedIndex": str(raft.applied),
        }
        if raft.lead is None:
            errors.append("etcdserver: no leader")
        else:
            told["leader"] = str(int(raft.lead, 16))
        if errors:
            told["errors"] = errors
        own = self._etcd.store.members.get(self._etcd.id)
        if own is not None and own.learner:
            told["isLearner"] = True
        return told

    async def _list(self, asked: dict[str, Any]) -> dict[str, Any]:
        return {"header": self._header(), "members": self._members()}

    def _members(self) -> list[dict[str, Any]]:
        return [
            {
                "ID": str(int(each.id, 16)),
                **({"name": each.name} if each.name else {}),
                "peerURLs": list(each.peer_urls),
                **({"clientURLs": list(each.client_urls)} if each.client_urls else {}),
                **({"isLearner": True} if each.learner else {}),
            }
            for each in sorted(self._etcd.store.members.values(), key=lambda each: int(each.id, 16))
        ]

    async def _range(self, asked: dict[str, Any]) -> dict[str, Any]:
        if not asked.get("serializable"):
            await self._etcd.confirmed()
        return {"header": self._header(), "count": str(len(self._etcd.store.keys))}

    async def _put(self, asked: dict[str, Any]) -> dict[str, Any]:
        return await self._written(
            self._etcd.change("put", key=asked.get("key", ""), value=asked.get("value", ""))
        )

    async def _write(self, asked: dict[str, Any]) -> dict[str, Any]:
        return await self._written(self._etcd.change("nothing"))

    async def _grant(self, asked: dict[str, Any]) -> dict[str, Any]:
        return {**await self._written(self._etcd.change("nothing")), "ID": "77", "TTL": "5"}

    async def _revoke(self, asked: dict[str, Any]) -> dict[str, Any]:
        await self._etcd.propose(self._etcd.change("nothing"))
        return {"header": self._header()}

    async def _written(self, change: Change) -> dict[str, Any]:
        if any(kind == "NOSPACE" for _, kind in self._etcd.store.alarms):
            raise Refused(8, "mvcc: database space exceeded")
        await self._etcd.propose(change)
        return {"header": self._header()}

    async def _authenticate(self, asked: dict[str, Any]) -> dict[str, Any]:
        await self._etcd.propose(self._etcd.change("nothing"))
        if not self._etcd.store.authentication:
            raise Refused(9, "authentication is not enabled")
        if self._etcd.machine.users.get(asked["name"]) != asked["password"]:
            raise Refused(3, "authentication failed, invalid user ID or password")
        token = f"token-{asked['name']}"
        self._etcd.machine.tokens.add(token)
        return {"header": self._header(), "token": token}

    async def _hash(self, asked: dict[str, Any]) -> dict[str, Any]:
        text = json.dumps(self._etcd.store.keys, sort_keys=True).encode()
        return {
            "header": self._header(),
            "hash": int(hashlib.sha1(text).hexdigest()[:8], 16),
            "compact_revision": "-1",
            "hash_revision": str(self._etcd.store.revision),
        }

    # Leadership.

    async def _transfer(self, asked: dict[str, Any]) -> dict[str, Any]:
        if not self._etcd.leads:
            raise Refused(9, "not leader")
        to = format(int(asked.get("targetID", "0")), "x")
        if to not in self._etcd.voters:
            raise Refused(9, "bad leader transferee")
        await self._etcd.hand_over(to)
        return {}

    # Members.

    async def _add(self, asked: dict[str, Any]) -> dict[str, Any]:
        urls, learner = tuple(asked["peerURLs"]), bool(asked.get("isLearner"))
        listed = self._etcd.store.members.values()
        if self._checks_strictly:
            if not learner and not self._started_with(1):
                raise Refused(14, "re-configuration failed due to not enough started members")
            if not self._connected_enough():
                raise Refused(14, "unhealthy cluster")
        if any(set(urls) & set(each.peer_urls) for each in listed):
            raise Refused(9, ALREADY)
        if learner and any(each.learner for each in listed):
            raise Refused(9, "too many learner members in cluster")
        second = self._etcd.machine.clock.time_ns() // 1_000_000_000
        new = member_id(urls, f"{self._etcd.member.token}{second}")
        await self._reconfigured(self._etcd.change("add", new, urls=urls, learner=learner))
        added = {"ID": str(int(new, 16)), "peerURLs": list(urls)} | (
            {"isLearner": True} if learner else {}
        )
        return {"header": self._header(), "member": added, "members": self._members()}

    async def _remove(self, asked: dict[str, Any]) -> dict[str, Any]:
        id_ = format(int(asked["ID"]), "x")
        known = self._etcd.store.members.get(id_)
        if known is None:
            raise Refused(5, "member not found")
        if self._checks_strictly and not known.learner and id_ != self._etcd.id:
            dead = self._etcd.machine.connected_s(self._etcd.id, id_) == 0
            active = 1 + sum(
                self._etcd.machine.connected_s(self._etcd.id, each) >= CONNECTED_S
                for each in self._etcd.voters - {self._etcd.id}
            )
            if not dead and active - 1 < 1 + (len(self._etcd.voters) - 1) // 2:
                raise Refused(14, "unhealthy cluster")
        await self._reconfigured(self._etcd.change("remove", id_))
        return {"header": self._header(), "members": self._members()}

    async def _promote(self, asked: dict[str, Any]) -> dict[str, Any]:
        id_ = format(int(asked["ID"]), "x")
        known = self._etcd.store.members.get(id_)
        if known is None:
            raise Refused(5, "member not found")
        if not known.learner:
            raise Refused(9, "can only promote a learner member")
        assert self._etcd.raft is not None
        leads = self._etcd.raft.lead
        leader = self._etcd.machine.by_id(leads) if leads else None
        if leader is None or leader.raft is None:
            raise Refused(14, "no leader")
        if leader.raft.match.get(id_, 0) < 0.9 * len(leader.raft.disk.log):
            raise Refused(9, "can only promote a learner member which is in sync with leader")
        await self._reconfigured(self._etcd.change("promote", id_))
        return {"header": self._header(), "members": self._members()}

    async def _update(self, asked: dict[str, Any]) -> dict[str, Any]:
        id_ = format(int(asked["ID"]), "x")
        if id_ not in self._etcd.store.members:
            raise Refused(5, "member not found")
        await self._reconfigured(self._etcd.change("update", id_, urls=tuple(asked["peerURLs"])))
        return {"header": self._header(), "members": self._members()}

    async def _reconfigured(self, change: Change) -> None:
        refusal = await self._etcd.propose(change)
        if refusal:
            raise Refused(5, refusal)

    @property
    def _checks_strictly(self) -> bool:
        return self._etcd.flags.get("strict-reconfig-check", "true") != "false"

    def _started_with(self, more: int) -> bool:
        """Whether a quorum has started once so many more voters are on the list."""
        voters = [each for each in self._etcd.store.members.values() if not each.learner]
        started = sum(bool(each.name) for each in voters)
        if started == 1 and len(voters) == 1:
            return True
        return started >= (len(voters) + more) // 2 + 1

    def _connected_enough(self) -> bool:
        """Whether etcd takes a new member: its voters have been connected for 5 s.

        3.5.30 and 3.6.11 were the first that are content with a quorum of them, the new one counted.
        """
        up = 1 + sum(
            self._etcd.machine.connected_s(self._etcd.id, each) >= CONNECTED_S
            for each in self._etcd.voters - {self._etcd.id}
        )
        version = parse(self._etcd.version)
        bears = version >= (3, 6, 11) or (3, 5, 30) <= version < (3, 6)
        voters = len(self._etcd.voters)
        return up >= (voters if voters == 1 or not bears else (voters + 1) // 2 + 1)

    def _metrics(self) -> bytes:
        leader = self._etcd.raft.lead if self._etcd.raft is not None else None
        own = self._etcd.store.members.get(self._etcd.id)
        figures = {
            f'etcd_server_id{{server_id="{self._etcd.id}"}}': 1,
            f'etcd_server_version{{server_version="{self._etcd.version}"}}': 1,
            "etcd_server_has_leader": int(leader is not None),
            "etcd_server_is_leader": int(self._etcd.leads),
            "etcd_server_is_learner": int(own is not None and own.learner),
            "etcd_debugging_mvcc_current_revision": self._etcd.store.revision,
            "etcd_server_proposals_applied_total": self._etcd.raft.applied
            if self._etcd.raft
            else 0,
            "etcd_mvcc_db_total_size_in_bytes": 20480,
        }
        return "".join(f"{name} {value}\n" for name, value in figures.items()).encode()
