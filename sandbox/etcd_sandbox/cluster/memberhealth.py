"""Why a member that runs is not well, in words: by what it answered, what etcd's list says, and its log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from etcd_sandbox.etcd.answers import is_about_users
from etcd_sandbox.etcd.failures import LINES_OF_LOG, log_trouble
from etcd_sandbox.etcd.troubles import LATE, USUAL_AT_START
from etcd_sandbox.model.access import WANTS_USER
from etcd_sandbox.model.state import ProcessState

if TYPE_CHECKING:
    from etcd_sandbox.cluster.members import Members
    from etcd_sandbox.etcd.answers import StatusAnswer

NOT_LISTED = "is not on etcd's list of members"


class MemberHealth:
    """Says what is wrong with a member of one cluster."""

    def __init__(self, members: Members) -> None:
        self._members = members

    def why(
        self, process: str, answers: Mapping[str, StatusAnswer], *, serves_as_proxy: bool
    ) -> str | None:
        """What is to be said of the member, as the end of a sentence about it; None where all is well."""
        if not self._members.runs(process) or serves_as_proxy:
            return None
        answer = answers.get(process)
        if answer is None:
            return self._silent(process)
        if answer.refusal is not None:
            return self._refusing(answer.refusal)
        twin = next(
            (
                name
                for name, other in answers.items()
                if name != process and other.member_id == answer.member_id
            ),
            None,
        )
        url = self._members.member(process).client_url
        if ended := self._members.gateway.certificate_trouble(url):
            return ended
        if twin is not None:
            return f"has the client URL at which {self._members.title(twin)} answers"
        if self._members.is_listed(process) is False:
            return self._in_log(process) or NOT_LISTED
        return None if answer.leader is not None else self._in_log(process) or "knows no leader"

    def _silent(self, process: str) -> str:
        trouble = self._members.gateway.trouble(self._members.member(process).client_url) or LATE
        said = self._in_log(process)
        starting = self._members.processes[process].state is ProcessState.STARTING
        if starting and trouble in USUAL_AT_START:
            return said or "does not serve clients yet"
        return said if said is not None and trouble == LATE else trouble

    def _refusing(self, refusal: str) -> str:
        login = self._members.gateway.login
        if not is_about_users(0, refusal):
            return f"answers, but refuses to tell of itself: {refusal}"
        if login.user is None:
            return WANTS_USER
        if login.refused is None and login.token is None:
            return f"{WANTS_USER}, and {login.user.name} has no token yet"
        reason = login.refused or refusal.removeprefix("etcdserver: ")
        return f"answers, but not to the user {login.user.name}: {reason}"

    def _in_log(self, process: str) -> str | None:
        return log_trouble(self._members.last_lines(process, LINES_OF_LOG))
