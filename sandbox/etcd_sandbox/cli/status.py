"""`status`: the members and processes as they are now."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import Any

from etcd_sandbox.cli import output
from etcd_sandbox.cli.output import BAD, FAINT, GOOD, ODD, Cell, Painted
from etcd_sandbox.cli.settings import settings
from etcd_sandbox.control.client import ControlClient
from etcd_sandbox.errors import SandboxError
from etcd_sandbox.model.access import WANTS_USER
from etcd_sandbox.words import shown

WATCH_EVERY_S = 1.0

_STATE_COLOURS = {"running": GOOD, "exited": BAD, "failed": BAD, "stopped": FAINT, "removed": FAINT}


def show(*, watch: bool, with_hash: bool) -> None:
    """The members as they are now; with `watch` every second until Ctrl-C."""
    from etcd_sandbox.cli.choice import running

    client = running()
    if watch:
        _watch(client, with_hash)
        return
    answer = _answer(client, with_hash)
    if settings().json:
        output.document(answer)
        return
    output.lines(lines(answer))


def _answer(client: ControlClient, with_hash: bool) -> dict[str, Any]:
    """What the supervisor answers, and what waits to be applied, where there is such an edit."""
    answer = client.status(with_hash=with_hash)
    # Of a cluster that ends just now this is the last answer.
    with contextlib.suppress(SandboxError):
        if edit := _edit(client, answer["supervisor"]["uptime_s"]):
            answer["edit"] = edit
    return answer


def _edit(client: ControlClient, uptime_s: float) -> str:
    """What an edit of the input since the start would change, as one line; empty for nothing."""
    source = client.plan()["source"]
    # What came through a pipe cannot be edited.
    if not (name := source["path"]) or name in source.get("texts", {}):
        return ""
    path = Path(name)
    try:
        edited_at = path.stat().st_mtime
    except OSError:
        return ""  # a file that is gone has no edit to be applied
    # Planning anew costs more than all the rest of `status`.
    if edited_at < time.time() - uptime_s:
        return ""
    from etcd_sandbox.cli.apply import pending
    from etcd_sandbox.cli.check import here

    return pending(client, path, here(), apply=False)


def _watch(client: ControlClient, with_hash: bool) -> None:
    while True:
        answer = _answer(client, with_hash)
        if settings().json:
            output.record(answer)
        elif output.is_terminal():
            output.screen(lines(answer))
        else:
            output.lines([*lines(answer), ""])
            output.flush()
        time.sleep(WATCH_EVERY_S)


def lines(answer: dict[str, Any]) -> list[str]:
    """`status --json` as a reader likes it: a headline, the members, the other processes."""
    members, processes = answer["members"], answer["processes"]
    shown_lines = [headline(answer)]
    if members and (told := answer.get("bootstrap")):
        shown_lines.append(f"bootstrapped by {shown.bootstrap(told)}")
        if lack := told.get("lack"):
            shown_lines.append(lack)
    if members:
        rows = [member_row(member, index) for index, member in enumerate(members)]
        if any(member.get("hash") is not None for member in members):
            for row, member in zip(rows, members, strict=True):
                row["HASH"] = shown.word(member["hash"])
        shown_lines += ["", *output.table_lines(rows)]
    if processes:
        rows = [_process(process, len(members) + i) for i, process in enumerate(processes)]
        shown_lines += ["", *output.table_lines(rows)]
    shown_lines += _notes_of_ends(processes)
    shown_lines += [f"{each['name']} {each['why']}" for each in members if each.get("why")]
    if any(each.get("why") == WANTS_USER for each in members):
        shown_lines.append("a user is given with --user NAME:PASSWORD, or $ETCD_SANDBOX_USER")
    for entry in answer.get("elsewhere", ()):
        stays = entry["started"] and not entry.get("remnant")
        mend = "" if stays else f"; etcd-sandbox remove {entry['id']}"
        shown_lines.append(shown.listed(entry) + mend)
    shown_lines += answer.get("notes", ())
    shown_lines += _two_leaders(answer)
    for fault in answer.get("faults", ()):
        shown_lines.append(_fault(fault))
    for planned in answer.get("planned", ()):
        left = shown.span(planned["in_s"])
        shown_lines.append(f"in {left}: {planned['order']}; etcd-sandbox heal drops it")
    if (loss := answer.get("log_loss")) and loss["lines"]:
        shown_lines.append(shown.log_loss(loss["lines"], loss["losing"], loss["why"]))
    if edit := answer.get("edit"):
        shown_lines.append(edit)
    return shown_lines


def _notes_of_ends(processes: list[dict[str, Any]]) -> list[str]:
    """What may be the reason of an end, once for all processes that it may be the reason of."""
    noted: dict[str, list[str]] = {}
    for each in processes:
        if each["pid"] is None and (note := (each.get("exit") or {}).get("note")):
            noted.setdefault(note, []).append(each["name"])
    return [f"{', '.join(names)} ended at once ({note})" for note, names in noted.items()]


def headline(answer: dict[str, Any]) -> str:
    """One line: the cluster, its leader, whether a quorum is there."""
    quorum = answer["quorum"]
    parts = [f"cluster {answer['cluster']}"]
    if answer["members"]:
        leader, term = answer["leader"], answer["term"]
        parts.append(f"leader {leader}{shown.in_term(term)}" if leader else "no leader")
        parts.append(shown.quorum(**quorum))
        parts += shown.alarms((up["alarm"], up["member"]) for up in answer.get("alarms", ()))
    parts.append(f"up for {shown.span(answer['supervisor']['uptime_s'])}")
    return " · ".join(parts)


def member_row(member: dict[str, Any], index: int) -> dict[str, Cell]:
    """A member's cells, by the heads of their columns."""
    return {
        "MEMBER": output.of_process(member["name"], index),
        "PROCESS": member["process"],
        "STATE": _state(member),
        "ROLE": Painted(
            shown.word(member["role"]), output.STRONG if member["role"] == "leader" else ""
        ),
        "TERM": shown.word(member["term"]),
        "HEALTH": _health(member),
        "PID": shown.word(member["pid"]),
        "VERSION": shown.word(member["version"]),
        "REVISION": shown.word(member["revision"]),
        "DB": shown.size(member["db_size_bytes"]),
        **_life(member),
        "CLIENT": member["client_url"],
    }


def _health(member: dict[str, Any]) -> Cell:
    if member["state"] == "removed":
        return shown.word(None)
    if member.get("alarms"):
        return Painted(" ".join(member["alarms"]), BAD)
    return Painted("healthy", GOOD) if member["healthy"] else Painted("unhealthy", ODD)


def _process(process: dict[str, Any], index: int) -> dict[str, Cell]:
    return {
        "PROCESS": output.of_process(process["name"], index),
        "STATE": _state(process),
        "PID": shown.word(process["pid"]),
        **_life(process),
        "COMMAND": process["command"],
    }


def _life(entry: dict[str, Any]) -> dict[str, Cell]:
    """What a process takes, its restarts, its age."""
    return {
        "CPU": shown.percent(entry["cpu_percent"]),
        "MEMORY": shown.size(entry["rss_bytes"]),
        "RESTARTS": str(entry["restarts"]),
        "UPTIME": shown.span(entry["uptime_s"]),
    }


def _state(process: dict[str, Any]) -> Painted:
    state = process["state"]
    end = ""
    if state in ("exited", "failed", "backoff"):
        from etcd_sandbox.words import story

        end = story.end(process["exit"])
    return Painted(f"{state}: {end}" if end else state, _STATE_COLOURS.get(state, ODD))


def _fault(fault: dict[str, Any]) -> str:
    from etcd_sandbox.verbs import mend_of
    from etcd_sandbox.words import story

    name = str(fault.get("member") or fault.get("process"))
    undo = mend_of(fault["kind"], name)
    return f"fault: {story.fault_words(fault)}; etcd-sandbox {undo}"


def _two_leaders(answer: dict[str, Any]) -> list[str]:
    """A word on those who believe to lead and do not: a leader that was cut off finds out late."""
    believers = [
        member
        for member in answer["members"]
        if member["role"] == "leader"
        and member["name"] != answer["leader"]
        and not member.get("own_cluster")
    ]
    if not believers:
        return []
    from etcd_sandbox.model.verdict import still_believes

    return [still_believes(member["name"], member["term"]) for member in believers]
