"""Lines of real etcds: 3.4.23 in both of its forms, 3.5.1, 3.6.16 and 3.7.3."""

from __future__ import annotations

CAPNSLOG = b"""\
[WARNING] Deprecated '--logger=capnslog' flag is set; use '--logger=zap' flag instead
2026-11-22 10:57:20.951008 I | etcdmain: etcd Version: 3.4.23
2026-11-22 10:57:21.000515 I | embed: listening for peers on 127.0.0.1:26001
raft2026/11/22 10:57:21 INFO: d934e9ef763606dc became candidate at term 2
raft2026/11/22 10:57:21 INFO: d934e9ef763606dc received MsgVoteResp from d934e9ef763606dc at term 2
raft2026/11/22 10:57:21 INFO: d934e9ef763606dc became leader at term 2
raft2026/11/22 10:57:21 INFO: raft.node: d934e9ef763606dc elected leader d934e9ef763606dc at term 2
2026-11-22 10:57:21.382118 I | etcdserver: published {Name:m0 ClientURLs:[http://127.0.0.1:26000]} to cluster 584dcda1d17b47ed
2026-11-22 10:57:21.384344 I | embed: ready to serve client requests
2026-11-22 10:57:21.385082 N | embed: serving insecure client requests on 127.0.0.1:26000, this is strongly discouraged!
2026-11-22 10:57:30.100000 I | etcdserver: d934e9ef763606dc starts leadership transfer from d934e9ef763606dc to 2d15d631a2682ef0
raft2026/11/22 10:57:30 INFO: d934e9ef763606dc [term 4] starts to transfer leadership to 2d15d631a2682ef0
raft2026/11/22 10:57:30 INFO: raft.node: d934e9ef763606dc lost leader d934e9ef763606dc at term 5
2026-11-22 10:57:30.201000 I | etcdserver: d934e9ef763606dc finished leadership transfer from d934e9ef763606dc to 2d15d631a2682ef0 (took 101.004ms)
2026-11-22 10:57:34.000000 E | rafthttp: failed to dial 2d15d631a2682ef0 on stream Message (the member has been permanently removed from the cluster)
2026-11-22 10:57:34.000001 E | etcdserver: the member has been permanently removed from the cluster
2026-11-22 10:57:34.000002 I | etcdserver: the data-dir used by this member must be removed.
2026-11-22 10:57:35.000000 N | pkg/osutil: received terminated signal, shutting down...
2026-11-22 10:59:10.524990 C | etcdmain: listen tcp 127.0.0.1:26601: bind: address already in use
"""

ZAP_34 = b"""\
{"level":"info","ts":"2026-11-22T10:57:20.992Z","caller":"embed/etcd.go:587","msg":"serving peer traffic","address":"127.0.0.1:26201"}
2026-11-22 07:29:27.174138 W | etcdserver/api/etcdhttp: /health error; no leader (status code 503)
{"level":"info","ts":"2026-11-22T10:57:21.360Z","caller":"raft/raft.go:719","msg":"16d8af03c1e4680d became candidate at term 2"}
{"level":"info","ts":"2026-11-22T10:57:21.361Z","caller":"embed/serve.go:145","msg":"serving client traffic insecurely; this is strongly discouraged!","address":"127.0.0.1:26200"}
{"level":"info","ts":"2026-11-22T10:57:29.100Z","caller":"raft/node.go:329","msg":"raft.node: 9fb692ec30f604b3 changed leader from 9fb692ec30f604b3 to 16d8af03c1e4680d at term 5"}
"""

ZAP_35 = b"""\
{"level":"info","ts":"2026-11-22T10:57:37.415Z","caller":"embed/etcd.go:580","msg":"serving peer traffic","address":"127.0.0.1:26101"}
{"level":"info","ts":"2026-11-22T10:57:37.600Z","logger":"raft","caller":"etcdserver/zap_raft.go:77","msg":"41a2461315739f7e became pre-candidate at term 1"}
{"level":"info","ts":"2026-11-22T10:57:37.601Z","logger":"raft","caller":"etcdserver/zap_raft.go:77","msg":"41a2461315739f7e became candidate at term 2"}
{"level":"info","ts":"2026-11-22T10:57:37.602Z","logger":"raft","caller":"etcdserver/zap_raft.go:77","msg":"41a2461315739f7e became leader at term 2"}
{"level":"info","ts":"2026-11-22T10:57:37.868Z","caller":"embed/serve.go:98","msg":"ready to serve client requests"}
{"level":"info","ts":"2026-11-22T10:57:37.869Z","caller":"etcdserver/server.go:2027","msg":"published local member to cluster through raft","local-member-id":"41a2461315739f7e","local-member-attributes":"{Name:m1 ClientURLs:[http://127.0.0.1:26110]}"}
{"level":"info","ts":"2026-11-22T10:57:37.872Z","caller":"embed/serve.go:140","msg":"serving client traffic insecurely; this is strongly discouraged!","address":"127.0.0.1:26100"}
{"level":"info","ts":"2026-11-22T10:57:46.558Z","caller":"etcdserver/server.go:1398","msg":"leadership transfer starting","local-member-id":"41a2461315739f7e","current-leader-member-id":"41a2461315739f7e","transferee-member-id":"f79cae588a687a63"}
{"level":"info","ts":"2026-11-22T10:57:46.660Z","caller":"etcdserver/server.go:1419","msg":"leadership transfer finished","local-member-id":"41a2461315739f7e","old-leader-member-id":"41a2461315739f7e","new-leader-member-id":"f79cae588a687a63","took":"101.2ms"}
{"level":"warn","ts":"2026-11-22T10:57:50.000Z","logger":"raft","caller":"etcdserver/zap_raft.go:85","msg":"41a2461315739f7e stepped down to follower since quorum is not active"}
{"level":"warn","ts":"2026-11-22T10:57:51.100Z","caller":"rafthttp/peer_status.go:68","msg":"peer became inactive (message send to peer failed)","peer-id":"f79cae588a687a63","error":"failed to dial f79cae588a687a63 on stream MsgApp v2 (the member has been permanently removed from the cluster)"}
{"level":"warn","ts":"2026-11-22T10:57:51.179Z","caller":"etcdserver/server.go:1142","msg":"server error","error":"the member has been permanently removed from the cluster"}
{"level":"info","ts":"2026-11-22T10:57:52.000Z","caller":"osutil/interrupt_unix.go:64","msg":"received signal; shutting down","signal":"terminated"}
{"level":"warn","ts":"2026-11-22T10:59:11.033Z","caller":"etcdmain/etcd.go:145","msg":"failed to start etcd","error":"listen tcp 127.0.0.1:26601: bind: address already in use"}
{"level":"fatal","ts":"2026-11-22T10:59:11.033Z","caller":"etcdmain/etcd.go:203","msg":"discovery failed","error":"listen tcp 127.0.0.1:26601: bind: address already in use","stacktrace":"go.etcd.io/etcd/server/v3/etcdmain.startEtcdOrProxyV2\\n\\tetcdmain/etcd.go:203"}
"""

ZAP_36 = b"""\
{"level":"info","ts":"2026-11-22T10:57:37.424383Z","caller":"embed/etcd.go:640","msg":"serving peer traffic","address":"127.0.0.1:26301"}
{"level":"info","ts":"2026-11-22T10:57:48.000001Z","logger":"raft","caller":"v3@v3.6.0/node.go:372","msg":"raft.node: a3d1a5043bc45aa9 changed leader from a3d1a5043bc45aa9 to dc2eb9a36d4404 at term 4"}
{"level":"info","ts":"2026-11-22T10:57:48.000002Z","logger":"raft","caller":"v3@v3.6.0/node.go:376","msg":"raft.node: a3d1a5043bc45aa9 lost leader dc2eb9a36d4404 at term 5"}
{"level":"error","ts":"2026-11-22T11:22:45.879709Z","caller":"embed/etcd.go:912","msg":"setting up serving from embedded etcd failed.","error":"mux: server closed","stacktrace":"go.etcd.io/etcd/server/v3/embed.(*Etcd).errHandler\\n\\tembed/etcd.go:912"}
"""

ZAP_37 = b"""\
{"level":"info","ts":"2026-11-22T10:57:54.320091Z","caller":"embed/serve.go:219","msg":"serving client traffic insecurely; this is strongly discouraged!","traffic":"grpc+http","address":"127.0.0.1:26400"}
{"level":"info","ts":"2026-11-22T10:57:54.320092Z","logger":"raft","caller":"v3@v3.7.0/node.go:370","msg":"raft.node: 57030f3b083451c7 elected leader 359a1f5d077b2134 at term 3"}
"""

NO_SIGNS = b"""\
{"level":"info","ts":"2026-11-22T10:57:37.402Z","caller":"rafthttp/stream.go:395","msg":"started stream reader with remote peer","stream-reader-type":"stream Message","local-member-id":"8452bf454815bedd","remote-peer-id":"f79cae588a687a63"}
{"level":"warn","ts":"2026-11-22T10:57:37.425Z","caller":"etcdserver/util.go:166","msg":"apply request took too long","took":"123.4ms","expected-duration":"100ms","prefix":"","request":"header:<ID:123 > put:<key:\\"foo\\" value_size:3 >","response":"size:5"}
{"level":"info","ts":"2026-11-22T10:57:37.401Z","caller":"embed/etcd.go:566","msg":"stopping serving peer traffic","address":"127.0.0.1:26201"}
{"level":"info","ts":"2026-11-22T10:57:37.402Z","caller":"x/y.go:1","msg":"a value says: panic: at term 3","key":"became leader at term 5"}
2026-11-22 07:28:22.840082 W | etcdserver: failed to send out heartbeat on time (exceeded the 100ms timeout for 2.1s, to 2d15d631a2682ef0)
"""

GO_PANIC = b"""\
{"level":"panic","ts":"2026-11-22T10:59:10.987Z","caller":"backend/backend.go:162","msg":"failed to open database","path":"d/member/snap/db","error":"invalid database","stacktrace":"go.etcd.io/etcd/mvcc/backend.newBackend\\n\\tmvcc/backend/backend.go:162"}
panic: failed to open database

goroutine 133 [running]:
go.uber.org/zap/zapcore.CheckWriteAction.OnWrite(0x2?, 0xf87a3807d94e7c50?)
\tgo.uber.org/zap/zapcore/entry.go:198 +0x65
"""
