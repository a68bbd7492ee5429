"""`learn`: the workshop's lessons, done with a guide that watches a real cluster; or checked by themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from etcd_sandbox.cli import output
from etcd_sandbox.cli.settings import common, settings
from etcd_sandbox.errors import EXIT_DONE, EXIT_FAILED, InputError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from etcd_sandbox.learn.check import LessonReport, StepReport
    from etcd_sandbox.learn.guide import Guide
    from etcd_sandbox.learn.lesson import Lesson
    from etcd_sandbox.learn.library import Place
    from etcd_sandbox.learn.stage import Stage


def _lessons(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The lessons by number, each with the words of its file's name."""
    from click.shell_completion import CompletionItem

    from etcd_sandbox.learn.library import names

    numbered = [(str(int(name[:2])), name[3:-3].replace("-", " ")) for name in names()]
    return [CompletionItem(at, help=words) for at, words in numbered if at.startswith(incomplete)]


@click.command("learn")
@click.argument("which", metavar="[LESSON]...", nargs=-1, shell_complete=_lessons)
@click.option("--check", is_flag=True, help="Do the lessons by themselves and see that all holds.")
@click.option("--again", is_flag=True, help="Begin the lesson anew, with a new cluster.")
@click.option(
    "--dashboard",
    "in_dashboard",
    is_flag=True,
    help="Do the lesson in the dashboard: it stands beside the cluster, and keys do the steps, too.",
)
@click.option(
    "--lang",
    metavar="CODE",
    default="",
    help="In another language, where there is a translation (zh-Hant).",
)
@click.option(
    "--etcd",
    metavar="PATH|VERSION",
    help="Which etcd: a program, 3.5.1, or 3.5 for the newest of that series.",
)
@common(data=True)
def learn(
    which: tuple[str, ...],
    check: bool,
    again: bool,
    in_dashboard: bool,
    lang: str,
    etcd: str | None,
) -> int:
    """Do a lesson of the workshop: step by step, on a cluster of its own that is broken and mended.

    LESSON is a number or a word of its title; without it the lessons are listed. What you do is
    seen however you do it: here, in another terminal, in the dashboard. `quit` keeps your place.
    A step that this machine cannot do is passed over, with the reason and the mend.
    """
    from etcd_sandbox.learn.library import all_lessons, find, known_language

    if in_dashboard and (check or not which):
        raise InputError("--dashboard is for one lesson", hint="etcd-sandbox learn 1 --dashboard")
    lang = known_language(lang)
    if check:
        chosen = [find(word, lang) for word in which] or all_lessons(lang)
        return _check(chosen, etcd)
    if not which:
        _list(all_lessons(lang), lang)
        return EXIT_DONE
    if len(which) > 1:
        raise InputError("one lesson at a time", hint=f"etcd-sandbox learn {which[0]}")
    if settings().json:
        raise InputError("a lesson is a conversation: it has no JSON", hint="leave out --json")
    return _do(find(which[0], lang), again, in_dashboard, etcd, lang)


def _list(lessons: list[Lesson], lang: str) -> None:
    from etcd_sandbox.cli.lessontalk import learn_command
    from etcd_sandbox.learn import library

    places = library.places()
    if settings().json:
        output.document({"lessons": [_as_json(each, places.get(each.slug)) for each in lessons]})
        return
    output.table(
        [
            {
                "LESSON": str(each.number),
                "TITLE": each.title,
                "MINUTES": str(each.minutes),
                "ETCD": " to ".join(dict.fromkeys((each.etcd[0], each.etcd[-1]))),
                "PROGRESS": _place_words(each, places.get(each.slug)),
            }
            for each in lessons
        ]
    )
    begun = [each for each in lessons if not _is_done(places.get(each.slug))]
    if begun:
        output.next_step(learn_command(lang, begun[0].number))


def _as_json(lesson: Lesson, place: Place | None) -> dict[str, Any]:
    return {
        "lesson": lesson.number,
        "slug": lesson.slug,
        "title": lesson.title,
        "minutes": lesson.minutes,
        "etcd": list(lesson.etcd),
        "language": lesson.language or "en",
        "steps": len(lesson.steps),
        "step": place.step if place is not None else 0,
        "done": _is_done(place),
    }


def _is_done(place: Place | None) -> bool:
    return place is not None and place.done


def _place_words(lesson: Lesson, place: Place | None) -> str:
    if place is None or (place.step == 0 and not place.done):
        return "-"
    return "done" if place.done else f"step {place.step + 1} of {len(lesson.steps)}"


def _do(lesson: Lesson, again: bool, in_dashboard: bool, etcd: str | None, lang: str) -> int:
    from etcd_sandbox.cli import diagnostics
    from etcd_sandbox.learn import library
    from etcd_sandbox.learn.guide import Guide
    from etcd_sandbox.learn.library import Place, only_guide
    from etcd_sandbox.learn.stage import Stage

    _check_there_is_somebody(lesson, in_dashboard)
    if lang and not lesson.language:
        diagnostics.note(f"lesson {lesson.number} was not translated to {lang!r}: it is in English")
    if etcd and lesson.begins:
        diagnostics.note(
            f"lesson {lesson.number} goes from etcd {lesson.begins} to {lesson.etcd[-1]}, "
            "whatever --etcd says"
        )
    with only_guide(lesson):
        place = library.places().get(lesson.slug, Place())
        if again or place.done:
            place = Place()
        stage = Stage(lesson, etcd=etcd)
        if again:
            stage.down(purge=True)
        ready_s = stage.up(fresh=place.step == 0)
        guide = Guide(lesson.steps_for(stage.series), place.step)
        if in_dashboard:
            return _show(lesson, stage, guide)
        return _talk(lesson, stage, guide, place, ready_s)


def _check_there_is_somebody(lesson: Lesson, in_dashboard: bool) -> None:
    from etcd_sandbox.cli.dashboard import check_it_can_be_shown
    from etcd_sandbox.cli.lessontalk import talks_to_a_terminal

    by_itself = f"etcd-sandbox learn --check {lesson.number} does it by itself"
    if in_dashboard:
        check_it_can_be_shown(by_itself)
    elif not talks_to_a_terminal():
        raise InputError("a lesson is a conversation: it needs a terminal", hint=by_itself)


def _talk(lesson: Lesson, stage: Stage, guide: Guide, place: Place, ready_s: float | None) -> int:
    import asyncio
    import selectors
    import sys

    from etcd_sandbox.cli.lessontalk import Talk, introduction

    introduction(lesson, stage.binary.version, place)
    if ready_s is not None:
        output.line()
        output.line(f"cluster {lesson.cluster} ready in {ready_s:.2f} s")

    def loop() -> asyncio.AbstractEventLoop:
        # macOS cannot wait for a terminal in any other way than by `select`, which stops at 1023.
        on_mac = sys.platform == "darwin"
        selector = selectors.SelectSelector() if on_mac else selectors.PollSelector()
        return asyncio.SelectorEventLoop(selector)

    with asyncio.Runner(loop_factory=loop) as runner:
        return runner.run(Talk(lesson, stage, guide).go(resumed=place.step > 0))


def _show(lesson: Lesson, stage: Stage, guide: Guide) -> int:
    from etcd_sandbox.cli import lessontalk
    from etcd_sandbox.cli.dashboard import shown
    from etcd_sandbox.tui.actions import Leave
    from etcd_sandbox.tui.tutor import Tutor

    tutor = Tutor(lesson, stage, guide, resumed=guide.at > 0)
    try:
        left = shown(stage.client, owned=True, tutor=tutor).return_value
    except BaseException:
        stage.vanish()
        raise
    if left is None:
        # A signal: the terminal may be gone.
        stage.vanish()
        return EXIT_FAILED
    if tutor.done:
        stage.down(purge=True)
        lessontalk.finished(lesson)
        return EXIT_DONE
    if left is Leave.STOP:
        lessontalk.stopping(lesson)
        stage.down()
    else:
        stage.release()
        lessontalk.runs_on(lesson)
    output.next_step(f"{lessontalk.learn_command(lesson.language, lesson.number)} --dashboard")
    return EXIT_DONE


def _check(lessons: list[Lesson], etcd: str | None) -> int:
    from etcd_sandbox.cli.waiting import interruptible
    from etcd_sandbox.learn.check import check_lesson

    reports = []
    plain = not settings().json
    with interruptible():
        for lesson in lessons:
            if plain:
                output.line(output.Painted(f"{lesson.number} {lesson.title}", output.STRONG))
                output.flush()
            report = check_lesson(lesson, etcd=etcd, tell=_tell_step if plain else lambda _: None)
            reports.append(report)
            if plain:
                _tell_lesson(report)
    if not plain:
        import msgspec

        output.document(
            {"lessons": [msgspec.to_builtins(each) | {"holds": each.holds} for each in reports]}
        )
    return EXIT_DONE if all(report.holds for report in reports) else EXIT_FAILED


def _tell_step(step: StepReport) -> None:
    if step.passed_over:
        output.pieces("  ", output.Painted("- ", output.ODD), step.title)
        output.line(f"      passed over: {step.passed_over}")
        output.line(f"      {step.mend}")
        output.flush()
        return
    mark = output.Painted("✗ ", output.BAD) if step.why else output.Painted("✓ ", output.GOOD)
    output.pieces("  ", mark, step.title, output.Painted(f"  {step.seconds:.1f} s", output.FAINT))
    for text in step.seen:
        output.line(output.Painted(f"      {text}", output.FAINT))
    for text in step.why.splitlines():
        output.line(f"      {text}")
    output.flush()


def _tell_lesson(report: LessonReport) -> None:
    how = "holds" if report.holds else "does not hold"
    on = f" on etcd {report.etcd}" if report.etcd else ""
    why = f": {report.why}" if report.why else ""
    over = f", {report.passed_over} of its steps passed over" if report.passed_over else ""
    output.line(f"  lesson {report.lesson} {how}{on}{over}, {report.seconds:.1f} s{why}")
    output.flush()
