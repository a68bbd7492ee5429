"""The verbs that break a cluster, and the ones that mend it, in Python."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from typing import Any, Generic, TypeVar

from etcd_sandbox import verbs
from etcd_sandbox.api.facts import ClusterFacts
from etcd_sandbox.verbs import Verb

Done = TypeVar("Done", covariant=True)


class FaultVerbs(ClusterFacts, Generic[Done]):
    """What can be broken. `Done` is a Verdict, or what gives one when it is awaited."""

    @abstractmethod
    def _act(self, verb: Verb, select: Iterable[str], **how: Any) -> Done: ...

    def pause(
        self,
        *select: str,
        for_s: float | None = None,
        after_s: float | None = None,
        seed: int | None = None,
        wait: bool = True,
        timeout_s: float = 30.0,
    ) -> Done:
        """Let processes hang (SIGSTOP): they keep their ports and answer nobody.

        As every fault, it heals by itself after `for_s` seconds, and is there only after `after_s`.
        """
        return self._act(
            verbs.PAUSE,
            select,
            for_s=for_s,
            after_s=after_s,
            seed=seed,
            wait=wait,
            timeout_s=timeout_s,
        )

    def starve(
        self,
        *select: str,
        share: float,
        for_s: float | None = None,
        after_s: float | None = None,
        seed: int | None = None,
        wait: bool = True,
        timeout_s: float = 30.0,
    ) -> Done:
        """Let processes run for a share of the time only: 0.2 is 20 ms of each 100 ms."""
        return self._act(
            verbs.STARVE,
            select,
            share=share,
            for_s=for_s,
            after_s=after_s,
            seed=seed,
            wait=wait,
            timeout_s=timeout_s,
        )

    def resume(
        self, *select: str, seed: int | None = None, wait: bool = True, timeout_s: float = 30.0
    ) -> Done:
        """Let paused processes go on (SIGCONT)."""
        return self._act(verbs.RESUME, select, seed=seed, wait=wait, timeout_s=timeout_s)

    def partition(
        self,
        *select: str,
        versus: str | Iterable[str] = (),
        one_way: bool = False,
        refuse: bool = False,
        for_s: float | None = None,
        after_s: float | None = None,
        seed: int | None = None,
        wait: bool = True,
        timeout_s: float = 30.0,
    ) -> Done:
        """Cut all peer traffic between the selected members and `versus`; everyone else by default.

        With `one_way` only what the selected members send is cut. `versus="clients"` cuts them off from clients (see
        `client_links`); with `refuse` these are refused, instead of waiting for ever.
        """
        return self._act(
            verbs.PARTITION,
            select,
            versus=versus,
            one_way=one_way,
            refuse=refuse,
            for_s=for_s,
            after_s=after_s,
            seed=seed,
            wait=wait,
            timeout_s=timeout_s,
        )

    def cut(
        self,
        one: str,
        other: str,
        *,
        one_way: bool = False,
        refuse: bool = False,
        for_s: float | None = None,
        after_s: float | None = None,
        seed: int | None = None,
        wait: bool = True,
        timeout_s: float = 30.0,
    ) -> Done:
        """Cut the one link between two members; with `one_way` only what the first sends to the other."""
        return self._act(
            verbs.CUT,
            (one,),
            versus=other,
            one_way=one_way,
            refuse=refuse,
            for_s=for_s,
            after_s=after_s,
            seed=seed,
            wait=wait,
            timeout_s=timeout_s,
        )

    def slow(
        self,
        *select: str,
        delay_s: float,
        jitter_s: float = 0.0,
        versus: str | Iterable[str] = (),
        one_way: bool = False,
        for_s: float | None = None,
        after_s: float | None = None,
        seed: int | None = None,
        wait: bool = True,
        timeout_s: float = 30.0,
    ) -> Done:
        """Delay the peer traffic between the selected members and `versus` (default: everybody).

        Each way takes `delay_s` seconds longer, give or take up to `jitter_s`; with `one_way` only what the selected
        members send.
        """
        return self._act(
            verbs.SLOW,
            select,
            versus=versus,
            delay_s=delay_s,
            jitter_s=jitter_s,
            one_way=one_way,
            for_s=for_s,
            after_s=after_s,
            seed=seed,
            wait=wait,
            timeout_s=timeout_s,
        )

    def throttle(
        self,
        *select: str,
        bytes_per_s: float,
        versus: str | Iterable[str] = (),
        for_s: float | None = None,
        after_s: float | None = None,
        seed: int | None = None,
        wait: bool = True,
        timeout_s: float = 30.0,
    ) -> Done:
        """Let so many bytes a second pass between each selected member and each of `versus`, each way."""
        return self._act(
            verbs.THROTTLE,
            select,
            versus=versus,
            bytes_per_s=bytes_per_s,
            for_s=for_s,
            after_s=after_s,
            seed=seed,
            wait=wait,
            timeout_s=timeout_s,
        )

    def flaky(
        self,
        *select: str,
        stall: float = 0.0,
        reset: float = 0.0,
        versus: str | Iterable[str] = (),
        for_s: float | None = None,
        after_s: float | None = None,
        seed: int | None = None,
        wait: bool = True,
        timeout_s: float = 30.0,
    ) -> Done:
        """Let the share `stall` of what members send be late as after a retransmission, and `reset` end its connection."""
        return self._act(
            verbs.FLAKY,
            select,
            versus=versus,
            stall=stall,
            reset=reset,
            for_s=for_s,
            after_s=after_s,
            seed=seed,
            wait=wait,
            timeout_s=timeout_s,
        )

    def reset_links(
        self,
        *select: str,
        versus: str | Iterable[str] = (),
        after_s: float | None = None,
        seed: int | None = None,
        wait: bool = True,
        timeout_s: float = 30.0,
    ) -> Done:
        """Reset the peer connections that are open now, also in the middle of an answer."""
        return self._act(
            verbs.RESET,
            select,
            versus=versus,
            after_s=after_s,
            seed=seed,
            wait=wait,
            timeout_s=timeout_s,
        )

    def slow_disk(
        self,
        *select: str,
        delay_s: float,
        jitter_s: float = 0.0,
        on: str = "all",
        calls: str = "sync",
        once: int | None = None,
        for_s: float | None = None,
        after_s: float | None = None,
        seed: int | None = None,
        wait: bool = True,
        timeout_s: float = 30.0,
    ) -> Done:
        """Have each sync (`calls="write"`: each write) of the members' files take longer.

        `on` is `wal`, `db` or `all`; `once` is for how many calls. A member without the filter is restarted to have it.
        """
        return self._act(
            verbs.SLOW_DISK,
            select,
            delay_s=delay_s,
            jitter_s=jitter_s,
            on=on,
            calls=calls,
            once=once,
            for_s=for_s,
            after_s=after_s,
            seed=seed,
            wait=wait,
            timeout_s=timeout_s,
        )

    def fail_disk(
        self,
        *select: str,
        error: str = "EIO",
        on: str = "all",
        calls: str = "sync",
        once: int | None = None,
        for_s: float | None = None,
        after_s: float | None = None,
        seed: int | None = None,
        wait: bool = True,
        timeout_s: float = 30.0,
    ) -> Done:
        """Have each sync (`calls="write"`: each write) of the members' files end with `EIO` or `ENOSPC`."""
        return self._act(
            verbs.FAIL_DISK,
            select,
            error=error,
            on=on,
            calls=calls,
            once=once,
            for_s=for_s,
            after_s=after_s,
            seed=seed,
            wait=wait,
            timeout_s=timeout_s,
        )

    def corrupt(
        self,
        *select: str,
        key: str | None = None,
        wal_tail: bool = False,
        db: bool = False,
        after_s: float | None = None,
        seed: int | None = None,
        wait: bool = True,
        timeout_s: float = 30.0,
    ) -> Done:
        """Damage the data of stopped members: another value of `key`, a torn end of the log, or a page of the database."""
        return self._act(
            verbs.CORRUPT,
            select,
            key=key,
            wal_tail=wal_tail,
            db=db,
            after_s=after_s,
            seed=seed,
            wait=wait,
            timeout_s=timeout_s,
        )

    def heal(self, *, wait: bool = True, timeout_s: float = 30.0) -> Done:
        """Undo every fault, and drop those that are to come. What was killed is started with `start`."""
        return self._act(verbs.HEAL, (), wait=wait, timeout_s=timeout_s)
