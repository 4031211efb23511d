"""What was found, for people and for programs."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from watcher.doctor.check import Result, Verdict
from watcher.overview.language import say, say_many


def in_lines(result: Result) -> Iterator[str]:
    """One check: its number, how it ended and what it found, with the cure below what needs one."""
    head = f"{result.number:2d}  "
    for number, fact in enumerate(result.facts):
        title = "" if number else f"{result.title}: "
        yield f"{'    ' if number else head}{fact.verdict:8} {title}{fact.what}"
        if fact.cure:
            yield f"{'':13}-> {fact.cure}"


def summary(results: Sequence[Result]) -> str:
    """The one sentence behind all of them."""
    counts = Counter(fact.verdict for result in results for fact in result.facts)
    if not counts[Verdict.FAIL] and not counts[Verdict.WARNING]:
        return say("All is well.")
    failed = say_many("{number} thing is wrong", "{number} things are wrong", counts[Verdict.FAIL])
    doubtful = say_many("{number} may cause trouble", "{number} may cause trouble", counts[Verdict.WARNING])
    if not counts[Verdict.FAIL]:
        return say("Nothing is wrong; {doubtful}.", doubtful=doubtful)
    return f"{failed}; {doubtful}." if counts[Verdict.WARNING] else f"{failed}."


def record(results: Sequence[Result]) -> dict[str, Any]:
    """The same for `--json`."""
    return {
        "summary": summary(results),
        "checks": [
            {
                "number": one.number, "name": one.name, "title": one.title, "verdict": str(one.verdict),
                "facts": [
                    {"verdict": str(fact.verdict), "what": fact.what, "cure": fact.cure} for fact in one.facts
                ],
            }
            for one in results
        ],
    }  # fmt: skip
