"""How checks are made: in their order, not on what failed, never for ever, and leaving nothing behind."""

import threading
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from watcher.doctor.check import Check, Fact, Result, Subject, Verdict, doubt, examine, exit_code, fine, wrong
from watcher.doctor.telling import in_lines, record, summary
from watcher.errors import Exit, LoginRefused, ProfileError, StoreUnreachable


def says(*facts: Fact) -> Callable[[Subject], Iterable[Fact]]:
    return lambda _: facts


def raises(error: Exception) -> Callable[[Subject], Iterable[Fact]]:
    def look(_: Subject) -> Iterable[Fact]:
        yield fine("so far")
        raise error

    return look


def results(*checks: Check) -> list[Result]:
    return list(examine(Subject(Path("profile.yaml"), lambda _: Path()), checks))


def test_what_rests_on_something_that_failed_is_not_looked_at_and_says_so() -> None:
    found = results(
        Check("a", "The first", says(wrong("bad", "mend it"))),
        Check("b", "The second", says(fine("never")), ("a",)),
        Check("c", "The third", says(fine("never")), ("b",)),
        Check("d", "The fourth", says(doubt("odd", "look")), ()),
        Check("e", "The fifth", says(fine("good")), ("d",)),
    )
    assert [str(one.verdict) for one in found] == ["fail", "skipped", "skipped", "warning", "ok"]
    assert found[1].facts[0].what == "not looked at, because of what is wrong with The first"
    assert found[2].facts[0].what == "not looked at, because of what is wrong with The second"
    assert [one.number for one in found] == [1, 2, 3, 4, 5]


def test_a_check_that_hangs_is_given_up_and_the_others_go_on() -> None:
    end = threading.Event()
    ended: list[bool] = []

    def hang(_: Subject) -> Iterable[Fact]:
        end.wait(50)
        ended.append(True)
        return []

    found = results(Check("a", "A", hang, seconds=0.2), Check("b", "B", says(fine("good"))))
    assert ended == []
    assert found[0].facts[0].what == "no answer within 0.2 s"
    assert "does not answer" in found[0].facts[0].cure
    assert found[1].verdict is Verdict.OK
    end.set()


@pytest.mark.parametrize(
    ("error", "what", "cure", "code"),
    [
        (StoreUnreachable("zone: no answer"), "zone: no answer", "check the network", Exit.PARTLY),
        (LoginRefused("me: refused"), "me: refused", "check irods_user_name", Exit.CONFIGURATION),
        (ProfileError(["p:1:1: a", "p:2:1: b"]), "p:1:1: a", "mend that line", Exit.CONFIGURATION),
        (PermissionError(13, "Permission denied", "/x"), "/x: Permission denied", "look at that disk", Exit.PARTLY),
        (ZeroDivisionError("oh"), "unexpected ZeroDivisionError: oh", "report it", Exit.UNEXPECTED),
    ],
)
def test_whatever_a_check_raises_is_a_fact_with_a_cure(error: Exception, what: str, cure: str, code: Exit) -> None:
    (found,) = results(Check("a", "A", raises(error)))
    assert found.facts[0].what == "so far"
    assert (found.facts[1].what, found.facts[1].exit_code) == (what, code)
    assert cure in found.facts[1].cure


def test_what_was_opened_is_let_go_also_if_nobody_wants_the_rest() -> None:
    closed: list[str] = []

    def opens(subject: Subject) -> Iterable[Fact]:
        subject.at_end += [lambda: closed.append("first"), lambda: closed.append("second")]
        return [fine("open")]

    subject = Subject(Path(), lambda _: Path())
    some = examine(subject, [Check("a", "A", opens), Check("b", "B", says(fine("x")))])
    next(iter(some))
    some.close()  # type: ignore[attr-defined]
    assert closed == ["second", "first"]


@pytest.mark.parametrize(
    ("facts", "code", "sentence"),
    [
        ([fine("a")], Exit.OK, "All is well."),
        ([fine("a"), doubt("b", "c")], Exit.OK, "Nothing is wrong; 1 may cause trouble."),
        ([wrong("a", "b"), wrong("c", "d")], Exit.PARTLY, "2 things are wrong."),
        (
            [wrong("a", "b"), wrong("c", "d", Exit.CONFIGURATION), doubt("e", "f")],
            Exit.CONFIGURATION,
            "2 things are wrong; 1 may cause trouble.",
        ),
    ],
)
def test_the_end_is_one_sentence_and_one_code(facts: list[Fact], code: Exit, sentence: str) -> None:
    found = results(Check("a", "A", says(*facts)))
    assert (exit_code(found), summary(found)) == (code, sentence)


def test_each_fact_stands_on_a_line_with_its_cure_below() -> None:
    found = results(Check("a", "Disks", says(fine("room"), doubt("little room", "clear it"))))
    assert list(in_lines(found[0])) == [
        " 1  ok       Disks: room",
        "    warning  little room",
        "             -> clear it",
    ]
    (check,) = record(found)["checks"]
    assert (check["name"], check["verdict"], len(check["facts"])) == ("a", "warning", 2)
    assert check["facts"][1] == {"verdict": "warning", "what": "little room", "cure": "clear it"}
