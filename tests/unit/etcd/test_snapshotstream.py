"""The pieces of a snapshot in what a member streams, however it is cut."""

from __future__ import annotations

import base64
import json

import pytest
from etcd_sandbox.errors import SandboxError
from etcd_sandbox.etcd.snapshotstream import Lines


def line(blob: bytes) -> bytes:
    coded = base64.b64encode(blob).decode()
    return json.dumps({"result": {"blob": coded, "remaining_bytes": "5"}}).encode() + b"\n"


@pytest.mark.parametrize("step", [1, 7, 64, 100_000])
def test_the_pieces_are_the_same_however_the_stream_is_cut(step: int) -> None:
    blobs = [b"first", b"", b"\0\xff" * 500, b"last"]
    stream = b"".join(map(line, blobs)).removesuffix(b"\n")
    lines = Lines("http://127.0.0.1:12379")
    found = []
    for at in range(0, len(stream), step):
        found += lines.pieces(stream[at : at + step])
    found += lines.last()
    assert found == blobs


@pytest.mark.parametrize(
    "refusal",
    [
        b'{"error":{"grpc_code":2,"message":"no room","http_code":500}}\n',
        b'{"error":"no room","message":"no room","code":2}\n',
        b'{"code":2,"message":"no room"}\n',
    ],
)
def test_etcds_own_reason_is_told(refusal: bytes) -> None:
    with pytest.raises(SandboxError, match="gives no snapshot: no room") as caught:
        Lines("http://127.0.0.1:12379").pieces(refusal)
    assert caught.value.where == "http://127.0.0.1:12379"


@pytest.mark.parametrize("text", [b"Not Found\n", b"[]\n", b'{"result":{"blob":"!"}}\n'])
def test_what_is_no_stream_of_a_snapshot_is_refused(text: bytes) -> None:
    with pytest.raises(SandboxError, match="does not stream a snapshot"):
        Lines("http://127.0.0.1:12379").pieces(text)
