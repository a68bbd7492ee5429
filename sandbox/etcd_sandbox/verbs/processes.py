"""The verbs on processes."""

from __future__ import annotations

from etcd_sandbox.verbs.verb import Key, Needs, Option, Type, Verb

START = Verb(
    name="start",
    summary="Start processes that do not run.",
    help="Start processes that do not run, with the data that they had.",
    past="started",
    key=Key("s", "Start", "Start the selected process, with its data.", 2, Needs.REST),
    key_of_all=Key("a", "Start all", "Start everything that does not run.", 14, Needs.REST),
)

STOP = Verb(
    name="stop",
    summary="Stop processes gracefully; their data stays.",
    help="Stop processes gracefully: SIGTERM, and SIGKILL to those that do not go. Their data stays.",
    past="stopped",
    undone_by="start",
    key=Key("t", "Stop", "Stop the selected process gracefully (SIGTERM).", 3, Needs.LIFE),
)

RESTART = Verb(
    name="restart",
    summary="Stop and start processes; their data stays.",
    help="Stop processes gracefully and start them again, with the data that they had.",
    past="restarted",
    tells="{past} {name}",
    key=Key("r", "Restart", "Stop and start the selected process.", 15, Needs.LIFE),
)

KILL = Verb(
    name="kill",
    summary="Crash processes: SIGKILL, or another signal.",
    help="Crash processes: no goodbye, as when a machine fails.",
    options=(
        Option(
            ("-s", "--signal"),
            "signal",
            Type.SIGNAL,
            "The signal, by name (with or without SIG) or number.",
            default="SIGKILL",
            metavar="S",
            show_default=True,
        ),
    ),
    past="killed",
    tells="{past} {name} (pid {pid}, SIGKILL)",
    instant=True,
    undone_by="start",
    key=Key("k", "Kill", "Crash the selected process (SIGKILL).", 1, Needs.LIFE),
)

RESUME = Verb(
    name="resume",
    summary="Let paused processes go on (SIGCONT).",
    help="Let paused processes go on (SIGCONT).",
    past="resumed",
    instant=True,
    key=Key(
        "p",
        "Resume",
        "Let the selected process go on (SIGCONT), when it is paused.",
        7,
        Needs.PAUSE,
    ),
)
