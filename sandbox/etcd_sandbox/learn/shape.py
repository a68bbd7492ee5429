"""Whether what was printed has the shape of what is shown: the same words, whatever figures, pids and luck."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

ANYTHING = "…"
"""A line that stands for any lines, as many as there are, also none."""

FAILURES = ("Error:", "etcd-sandbox: error:", '{"level":"fatal"')
"""How a line begins that shows a command to fail."""

_LUCK = (
    # How many etcdctl warns of, in which words, is its version's business.
    (re.compile(r'^\{"level":"warn".*'), ""),
    (re.compile(r"^Error: rpc error: .* desc = context deadline"), "Error: context deadline"),
    (re.compile(r"\. took [\d.]+(µs|ms|s)$"), ""),
    # A hand-over may be slow on a busy machine; an election after silence takes longer still.
    (re.compile(r" · 0\.[0-4]\d s without a leader"), ""),
    # Where nobody led before, whoever wakes up first may stand for election at once.
    (re.compile(r"^( *)there is a leader again, after [\d.]+ s: ([\w.-]+)"), r"\1\2 leads"),
    (re.compile(r"^( *[\w.-]+ leads · term \d+) · [\d.]+ s without a leader"), r"\1"),
    (re.compile(r" · reads (went on|waited for up to|take up to|failed for)( [\d.]+ s)?"), ""),
    # Whether a write was on its way to the lost leader is chance, and on a slow disk writes wait.
    (
        re.compile(
            r" · writes (sent meanwhile wait|waited|take|failed) (for up to|up to|for) [\d.]+ s"
        ),
        "",
    ),
    (re.compile(r" · [\w.-]+(, [\w.-]+)* (has|have) no leader"), ""),
    (re.compile(r" ?[·;] [\w.-]+ still believes that it leads \(term \d+\)"), ""),
    (re.compile(r"(?<![\w:/])/(?:[\w.@+-]+/)+[\w.@+-]+"), "PATH"),
    (re.compile(r"\b[0-9a-f]{13,32}\b"), "ID"),
    (re.compile(r"\b\d[\d.:]*(µs|ms|s|m\d+s)\b"), "0s"),
    (re.compile(r"\d[\d.:,]*\d|\d"), "0"),
    (re.compile(r"\b0 (B|kB|KB|MB|KiB|MiB)\b"), "0 bytes"),
    (re.compile(r"[-─]{3,}"), "--"),
)
"""What may differ, and what it becomes: luck and load are no part of what is shown."""


def shape(line: str) -> str:
    """What is the same in every run: no figure, no spacing; empty for a line that does not count."""
    for pattern, instead in _LUCK:
        line = pattern.sub(instead, line)
    return " ".join(line.split())


def difference(shown: Sequence[str], told: Sequence[str]) -> str:
    """What `told` lacks of `shown`, or has beyond it, in one clause; empty where the shapes are the same.

    The order of lines does not count: which member is named first is often chance.
    """
    wanted = Counter(_shapes(line for line in shown if line.strip() != ANYTHING))
    came = Counter(_shapes(told))
    if missing := list((wanted - came).elements()):
        return f"the line {missing[0]!r} is shown and was not printed"
    more = list((came - wanted).elements())
    if more and not any(line.strip() == ANYTHING for line in shown):
        return f"the line {more[0]!r} was printed and is not shown"
    return ""


def shows_failure(shown: Iterable[str]) -> bool:
    """Whether a transcript shows a command that fails."""
    return any(line.startswith(FAILURES) for line in shown)


def _shapes(lines: Iterable[str]) -> list[str]:
    return [text for text in map(shape, lines) if text]
