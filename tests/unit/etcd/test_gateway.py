from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from etcd_sandbox.errors import InputError
from etcd_sandbox.etcd.answers import Added, Alarm, Hashed, Refusal, StatusAnswer
from etcd_sandbox.etcd.gateway import Gateway
from etcd_sandbox.etcd.login import HANGS_AFTER_S
from etcd_sandbox.etcd.version import hex_id
from etcd_sandbox.model.access import Credentials
from etcd_sandbox.model.state import Peer

STATUS_35 = (
    '{"header":{"cluster_id":"684134793809231317","member_id":"3517084396909456240","revision":"1",'
    '"raft_term":"2"},"version":"3.5.1","dbSize":"20480","leader":"3517084396909456240",'
    '"raftIndex":"8","raftTerm":"2","raftAppliedIndex":"7","dbSizeInUse":"16384"}'
)
STATUS_WITHOUT_LEADER = (
    '{"header":{"member_id":"61975869722018820","revision":"1","raft_term":"2"},"version":"3.6.14",'
    '"dbSize":"20480","raftIndex":"8","raftTerm":"2","raftAppliedIndex":"8","isLearner":true,'
    '"errors":["etcdserver: no leader","memberID:61975869722018820  alarm:NOSPACE "]}'
)
MEMBERS = (
    '{"header":{},"members":[{"ID":"3517084396909456240","name":"infra1",'
    '"peerURLs":["http://127.0.0.1:2"],"clientURLs":["http://127.0.0.1:1"]},'
    '{"ID":"61975869722018820","peerURLs":["http://127.0.0.1:4"],"isLearner":true}]}'
)

Answer = tuple[int, str]
NEVER: Answer = (0, "")


class FakeMember:
    """Answers each path with what it was told; counts connections."""

    def __init__(self, answers: dict[str, Answer]) -> None:
        self.answers = answers
        self.asked: list[tuple[str, str]] = []
        self.heads: list[str] = []
        self.connections = 0
        self.url = ""
        self.serving: set[asyncio.Task[None]] = set()

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.serving.add(asyncio.ensure_future(self.serve(reader, writer)))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = int(head.lower().split("content-length:")[1].split("\r\n")[0])
                body = (await reader.readexactly(length)).decode()
                path = head.split()[1]
                self.asked.append((path, body))
                self.heads.append(head)
                status, text = self.answers.get(path, (404, "Not Found"))
                if status == 0:
                    await reader.read()
                    return
                writer.write(
                    f"HTTP/1.1 {status} X\r\nContent-Length: {len(text)}\r\n\r\n{text}".encode()
                )
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()


@asynccontextmanager
async def fake_member(**answers: Answer) -> AsyncIterator[FakeMember]:
    member = FakeMember({f"/v3/{name.replace('__', '/')}": said for name, said in answers.items()})
    server = await asyncio.start_server(member.accept, "127.0.0.1", 0)
    async with server:
        member.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield member
    await asyncio.gather(*member.serving)


def asking(question: Callable[[Gateway, FakeMember], Awaitable[None]], **answers: Answer) -> None:
    async def run() -> None:
        gateway = Gateway()
        async with fake_member(**answers) as member:
            try:
                await question(gateway, member)
            finally:
                await gateway.aclose()

    asyncio.run(run())


def test_a_leader_says_who_it_is() -> None:
    async def question(gateway: Gateway, member: FakeMember) -> None:
        assert await gateway.status(member.url, 5) == StatusAnswer(
            member_id="30cf319feadb6b70",
            version="3.5.1",
            leader="30cf319feadb6b70",
            term=2,
            revision=1,
            raft_index=8,
            raft_applied_index=7,
            db_size_bytes=20480,
            is_learner=False,
            errors=(),
            cluster_id="97e88f8637bfdd5",
        )
        assert member.asked == [("/v3/maintenance/status", "{}")]

    asking(question, maintenance__status=(200, STATUS_35))


def test_a_member_without_leader_says_so_and_names_its_alarms() -> None:
    async def question(gateway: Gateway, member: FakeMember) -> None:
        answer = await gateway.status(member.url, 5)
        assert isinstance(answer, StatusAnswer)
        assert (answer.member_id, answer.leader) == ("dc2eb9a36d4404", None)
        assert answer.is_learner
        assert answer.alarms == {Alarm(member_id=hex_id("61975869722018820"), kind="NOSPACE")}
        assert answer.errors[0] == "etcdserver: no leader"

    asking(question, maintenance__status=(200, STATUS_WITHOUT_LEADER))


@pytest.mark.parametrize(
    "said",
    [
        (200, ""),
        (200, "not JSON"),
        (200, "[]"),
        (200, '{"header":7}'),
        (200, '{"header":{"member_id":"x"}}'),
        (404, "Not Found"),
        (200, "[" * 100_000),
    ],
)
def test_an_answer_that_is_none_counts_as_no_answer(said: Answer) -> None:
    async def question(gateway: Gateway, member: FakeMember) -> None:
        assert await gateway.status(member.url, 5) is None
        assert not await gateway.linearizable_read(member.url, 5)
        assert await gateway.members(member.url, 5) is None
        assert await gateway.hash_kv(member.url, 5) is None

    asking(question, maintenance__status=said)


EMPTY_USER = '{"code":3, "message":"etcdserver: user name is empty"}'
OUTDATED = '{"code":16, "message":"etcdserver: invalid auth token"}'


def test_a_refusal_is_an_answer() -> None:
    async def question(gateway: Gateway, member: FakeMember) -> None:
        told = await gateway.status(member.url, 5)
        assert told == Refusal(code=3, message="etcdserver: user name is empty")
        assert told.is_about_users
        assert gateway.trouble(member.url) is None

    asking(question, maintenance__status=(400, EMPTY_USER))


@pytest.mark.parametrize("said", [EMPTY_USER, OUTDATED, '{"code":7,"message":"permission denied"}'])
def test_a_quorum_stands_behind_a_refusal_of_a_reader_or_a_writer(said: str) -> None:
    async def question(gateway: Gateway, member: FakeMember) -> None:
        assert await gateway.linearizable_read(member.url, 5)
        assert await gateway.put(member.url, "k", "v", 5)

    asking(question, kv__range=(400, said), kv__put=(400, said))


@pytest.mark.parametrize(
    ("code", "acknowledged"),
    [(3, None), (7, None), (8, None), (16, None), (14, False)],
)
def test_a_write_that_is_refused_for_a_user_or_an_alarm_tells_nothing_of_writes(
    code: int, acknowledged: bool | None
) -> None:
    async def question(gateway: Gateway, member: FakeMember) -> None:
        assert await gateway.empty_write(member.url, 5) is acknowledged

    asking(question, kv__txn=(400, f'{{"code":{code},"message":"etcdserver: no"}}'))


def test_no_quorum_stands_behind_other_refusals() -> None:
    async def question(gateway: Gateway, member: FakeMember) -> None:
        assert not await gateway.linearizable_read(member.url, 5)
        assert not await gateway.put(member.url, "k", "v", 5)

    timed_out = (503, '{"code":14,"message":"etcdserver: request timed out"}')
    full = (429, '{"code":8,"message":"etcdserver: mvcc: database space exceeded"}')
    asking(question, kv__range=timed_out, kv__put=full)


def test_a_user_logs_in_once_and_again_when_the_token_is_outdated() -> None:
    async def question(gateway: Gateway, member: FakeMember) -> None:
        gateway.login.become(Credentials("root", "pw"))
        assert isinstance(await gateway.status(member.url, 5), Refusal)
        assert gateway.login.token == "a.1"
        asked = [path for path, _ in member.asked]
        assert asked == [
            "/v3/maintenance/status",
            "/v3/auth/authenticate",
            "/v3/maintenance/status",
        ]
        member.answers["/v3/maintenance/status"] = (200, STATUS_35)
        assert isinstance(await gateway.status(member.url, 5), StatusAnswer)
        assert "authorization: a.1" in member.heads[-1].lower()
        member.answers["/v3/maintenance/status"] = (401, OUTDATED)
        member.answers["/v3/auth/authenticate"] = (200, '{"token":"b.2"}')
        assert isinstance(await gateway.status(member.url, 5), Refusal)
        assert gateway.login.token == "b.2"

    asking(
        question,
        maintenance__status=(400, EMPTY_USER),
        auth__authenticate=(200, '{"token":"a.1"}'),
    )


def test_a_member_that_has_not_applied_a_new_token_is_late_and_asked_again() -> None:
    async def question(gateway: Gateway, leader: FakeMember) -> None:
        async with fake_member(maintenance__status=(401, OUTDATED)) as follower:
            gateway.login.become(Credentials("root", "pw"))
            await gateway.login.renew(leader.url, None, 5)
            asked = asyncio.create_task(gateway.status(follower.url, 5))
            async with asyncio.timeout(20):
                while not follower.asked:  # noqa: ASYNC110 - it is a list
                    await asyncio.sleep(0.001)
            follower.answers["/v3/maintenance/status"] = (200, STATUS_35)
            assert isinstance(await asked, StatusAnswer)
            assert gateway.login.token == "a.1"
            assert all("/auth/" not in path for path, _ in follower.asked)
            await gateway.aclose()

    asking(question, auth__authenticate=(200, '{"token":"a.1"}'))


def test_a_member_that_hangs_keeps_no_token_from_those_who_ask_the_others() -> None:
    async def question(gateway: Gateway, member: FakeMember) -> None:
        async with fake_member(
            maintenance__status=(400, EMPTY_USER), auth__authenticate=NEVER
        ) as hanging:
            gateway.login.become(Credentials("root", "pw"))
            first = asyncio.create_task(gateway.status(hanging.url, 20))
            async with asyncio.timeout(20):
                while len(hanging.asked) < 2:  # noqa: ASYNC110 - it is a list
                    await asyncio.sleep(0.01)
            await asyncio.sleep(HANGS_AFTER_S)
            await gateway.status(member.url, 20)
            assert gateway.login.token == "new"
            assert isinstance(await first, Refusal)
            await gateway.aclose()

    asking(
        question,
        maintenance__status=(400, EMPTY_USER),
        auth__authenticate=(200, '{"header":{},"token":"new"}'),
    )


def test_a_read_that_shows_a_quorum_waits_for_no_token() -> None:
    async def question(gateway: Gateway, member: FakeMember) -> None:
        gateway.login.become(Credentials("root", "pw"))
        assert await gateway.linearizable_read(member.url, 5)
        assert [path for path, _ in member.asked] == ["/v3/kv/range"]
        assert gateway.authentication

    asking(question, kv__range=(400, EMPTY_USER), auth__authenticate=NEVER)


def test_a_user_that_etcd_refuses_is_not_tried_again_and_again() -> None:
    async def question(gateway: Gateway, member: FakeMember) -> None:
        gateway.login.become(Credentials("root", "wrong"))
        for _ in range(3):
            assert isinstance(await gateway.status(member.url, 5), Refusal)
        tried = [path for path, _ in member.asked if path == "/v3/auth/authenticate"]
        assert len(tried) == 1
        assert gateway.login.refused == "authentication failed, invalid user ID or password"

    failed = '{"code":3,"message":"etcdserver: authentication failed, invalid user ID or password"}'
    asking(question, maintenance__status=(400, EMPTY_USER), auth__authenticate=(400, failed))


def test_an_alarm_whose_member_etcd_does_not_name_is_an_alarm() -> None:
    async def question(gateway: Gateway, member: FakeMember) -> None:
        answer = await gateway.status(member.url, 5)
        assert isinstance(answer, StatusAnswer)
        assert answer.alarms == {Alarm(member_id=None, kind="CORRUPT")}

    said = STATUS_35.removesuffix("}") + ',"errors":["alarm:CORRUPT "]}'
    asking(question, maintenance__status=(200, said))


def test_why_a_member_does_not_answer_is_known() -> None:
    async def question(gateway: Gateway, member: FakeMember) -> None:
        assert await gateway.status(member.url, 0.05) is None
        assert gateway.trouble(member.url) == "does not answer in time"
        closed = "http://127.0.0.1:1"
        assert await gateway.status(closed, 5) is None
        assert gateway.trouble(closed) == "does not listen at its client URL"
        member.answers["/v3/maintenance/status"] = (200, "<html>hello</html>")
        assert await gateway.status(member.url, 5) is None
        assert gateway.trouble(member.url) == "something else than etcd answers at its client URL"
        member.answers["/v3/maintenance/status"] = (200, STATUS_35)
        assert await gateway.status(member.url, 5) is not None
        assert gateway.trouble(member.url) is None

    asking(question, maintenance__status=NEVER)


def test_a_member_that_hangs_is_given_up_in_time() -> None:
    async def question(gateway: Gateway, member: FakeMember) -> None:
        clock = asyncio.get_running_loop().time
        begun = clock()
        reads = [gateway.linearizable_read(member.url, 0.1) for _ in range(50)]
        assert await asyncio.gather(*reads, gateway.status(member.url, 0.1)) == [False] * 50 + [
            None
        ]
        assert clock() - begun < 4.5  # one after the other they would take 5

    asking(question, kv__range=NEVER, maintenance__status=NEVER)


def test_a_member_that_is_not_there_is_no_error() -> None:
    async def question(gateway: Gateway, member: FakeMember) -> None:
        for url in ("http://127.0.0.1:1", "nonsense", "http://[::1", "https://" + member.url[7:]):
            assert await gateway.status(url, 1) is None

    asking(question)


def test_connections_are_used_again() -> None:
    async def question(gateway: Gateway, member: FakeMember) -> None:
        for _ in range(5):
            assert await gateway.status(member.url, 5) is not None
        assert member.connections == 1

    asking(question, maintenance__status=(200, STATUS_35))


def test_the_proxy_of_the_environment_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")

    async def question(gateway: Gateway, member: FakeMember) -> None:
        assert await gateway.status(member.url, 5) is not None

    asking(question, maintenance__status=(200, STATUS_35))


def test_the_hash_of_the_keys_is_asked_for_a_revision() -> None:
    async def question(gateway: Gateway, member: FakeMember) -> None:
        assert await gateway.hash_kv(member.url, 5, revision=7) == Hashed(
            hash=1082189866, revision=7, compact_revision=-1
        )
        assert member.asked == [("/v3/maintenance/hashkv", '{"revision":"7"}')]

    told = (
        '{"header":{"revision":"9"},"hash":1082189866,"compact_revision":"-1","hash_revision":"7"}'
    )
    asking(question, maintenance__hashkv=(200, told))


def test_before_3_6_the_revision_of_the_hash_is_that_of_the_header() -> None:
    async def question(gateway: Gateway, member: FakeMember) -> None:
        assert await gateway.hash_kv(member.url, 5) == Hashed(
            hash=5, revision=9, compact_revision=4
        )

    told = '{"header":{"revision":"9"},"hash":5,"compact_revision":"4"}'
    asking(question, maintenance__hashkv=(200, told))


@pytest.mark.parametrize(
    "missing", [(404, "Not Found\n"), (404, '{"code":5,"message":"Not Found"}')]
)
def test_without_hashkv_the_hash_of_the_database_is_taken(missing: Answer) -> None:
    async def question(gateway: Gateway, member: FakeMember) -> None:
        assert await gateway.hash_kv(member.url, 5) == Hashed(hash=5)
        assert [path for path, _ in member.asked] == [
            "/v3/maintenance/hashkv",
            "/v3/maintenance/hash",
        ]

    asking(question, maintenance__hashkv=missing, maintenance__hash=(200, '{"header":{},"hash":5}'))


def test_a_read_succeeds_only_with_a_header() -> None:
    async def question(gateway: Gateway, member: FakeMember) -> None:
        assert await gateway.linearizable_read(member.url, 5)
        member.answers["/v3/kv/range"] = (
            503,
            '{"code":14,"message":"etcdserver: request timed out"}',
        )
        assert not await gateway.linearizable_read(member.url, 5)

    asking(question, kv__range=(200, '{"header":{"revision":"1"}}'))


def test_the_member_list_is_read() -> None:
    async def question(gateway: Gateway, member: FakeMember) -> None:
        assert await gateway.members(member.url, 5) == (
            Peer(
                id="30cf319feadb6b70",
                name="infra1",
                peer_urls=("http://127.0.0.1:2",),
                client_urls=("http://127.0.0.1:1",),
                is_learner=False,
            ),
            Peer(
                id="dc2eb9a36d4404",
                name="",
                peer_urls=("http://127.0.0.1:4",),
                client_urls=(),
                is_learner=True,
            ),
        )

    asking(question, cluster__member__list=(200, MEMBERS))


@pytest.mark.parametrize(
    ("raft", "known"),
    [
        (
            '{"id":"2a","lead":"2a","raftState":"StateLeader","progress":{"2a":{"match":4},"3b":{}}}',
            {"2a", "3b"},
        ),
        ('{"id":"2a","lead":"3b","raftState":"StateFollower","progress":{}}', None),
        ("null", None),
    ],
)
def test_whom_raft_knows_only_its_leader_says(raft: str, known: set[str] | None) -> None:
    async def ask(gateway: Gateway, fake: FakeMember) -> None:
        fake.answers["/debug/vars"] = (200, f'{{"cmdline":[],"raft.status":{raft}}}')
        assert await gateway.raft_members(fake.url, 5) == known

    asking(ask)


def test_a_client_certificate_that_cannot_be_loaded_is_an_error(tmp_path: Path) -> None:
    broken = tmp_path / "c.pem"
    broken.write_text("nothing")
    for path in (broken, tmp_path / "none.pem"):
        with pytest.raises(InputError) as caught:
            Gateway(str(path), str(path))
        assert caught.value.where == str(path)


def test_a_member_that_was_added_comes_with_the_whole_list() -> None:
    async def body(gateway: Gateway, member: FakeMember) -> None:
        added = await gateway.add_member(member.url, "http://127.0.0.1:4", 5, learner=True)
        assert isinstance(added, Added)
        assert added.id == "dc2eb9a36d4404"
        assert [peer.name for peer in added.members] == ["infra1", ""]
        (asked,) = member.asked
        assert asked == (
            "/v3/cluster/member/add",
            '{"peerURLs":["http://127.0.0.1:4"],"isLearner":true}',
        )

    answer = MEMBERS[:-1] + ',"member":{"ID":"61975869722018820","isLearner":true}}'
    asking(body, cluster__member__add=(200, answer))


@pytest.mark.parametrize(
    ("said", "code", "text"),
    [
        ((503, '{"error":"etcdserver: unhealthy cluster","code":14}'), 14, "unhealthy cluster"),
        ((412, '{"message":"etcdserver: too many learner members in cluster","code":9}'), 9, "too many learner members in cluster"),
        ((404, '{"code":5,"message":"etcdserver: member not found"}'), 5, "member not found"),
        ((404, '{"error":"etcdserver: member not found","code":5}'), 5, "member not found"),
        (NEVER, 4, "it does not answer in time"),
    ],
)  # fmt: skip
def test_a_refusal_to_change_the_members_is_told_in_the_words_of_etcd(
    said: Answer, code: int, text: str
) -> None:
    async def body(gateway: Gateway, member: FakeMember) -> None:
        patience_s = 0.1 if said is NEVER else 5
        answers = [
            await gateway.add_member(member.url, "http://127.0.0.1:4", patience_s, learner=False),
            await gateway.change_member(member.url, "promote", "a", patience_s),
            await gateway.change_member(member.url, "remove", "a", patience_s),
            await gateway.change_member(
                member.url, "update", "a", patience_s, peerURLs=["http://127.0.0.1:5"]
            ),
        ]
        for answer in answers:
            assert isinstance(answer, Refusal)
            assert (answer.code, str(answer)) == (code, text)
        if said is not NEVER:
            assert member.asked[1:] == [
                ("/v3/cluster/member/promote", '{"ID":"10"}'),
                ("/v3/cluster/member/remove", '{"ID":"10"}'),
                (
                    "/v3/cluster/member/update",
                    '{"ID":"10","peerURLs":["http://127.0.0.1:5"]}',
                ),
            ]

    asking(
        body,
        cluster__member__add=said,
        cluster__member__promote=said,
        cluster__member__remove=said,
        cluster__member__update=said,
    )
