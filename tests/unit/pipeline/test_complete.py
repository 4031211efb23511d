"""Every rule by itself and joined, and what a person is told that a set waits for."""

from pathlib import Path

import pytest

from watcher.pipeline.complete import (
    Deadline,
    Listed,
    Marker,
    Named,
    Quiet,
    Rule,
    Situation,
    Sound,
    Verdict,
    whole_rule,
)
from watcher.profile import Complete, Watch


def situation(
    quiet_for: float = 100.0,
    *,
    name: str = "cells",
    companions: tuple[str, ...] = (),
    missing: tuple[str, ...] = (),
    problems: tuple[str, ...] = (),
) -> Situation:
    return Situation(name, quiet_for, companions, missing, problems)


class Fixed(Rule):
    """A rule with a verdict of its own."""

    def __init__(self, name: str, *, met: bool) -> None:
        self.verdict = Verdict(met, name, () if met else (f"waits {name}",))

    def __call__(self, situation: Situation) -> Verdict:
        return self.verdict


@pytest.mark.parametrize(("quiet_for", "met"), [(0, False), (119.9, False), (120, True), (1e9, True)])
def test_quiet_is_met_once_nothing_changed_for_so_long(quiet_for: float, met: bool) -> None:
    assert Quiet(120)(situation(quiet_for)).met is met


def test_quiet_says_how_long_it_still_waits() -> None:
    assert Quiet(120)(situation(30)).waits_for == ("no change for 120 s (90 s left)",)
    assert Quiet(120)(situation(120)) == Verdict(True, "quiet:120s", ())


def test_quiet_for_no_time_is_met_at_once() -> None:
    assert Quiet(0)(situation(0)).met


@pytest.mark.parametrize(
    ("pattern", "there", "met"),
    [
        ("*.done", "cells.done", True),
        ("*.DONE", "cells.done", True),
        ("*.done", "deep/er/cells.done", True),
        ("metadata.{txt,json}", "metadata.json", True),
        ("sub/end.txt", "sub/end.txt", True),
        ("sub/end.txt", "end.txt", False),
        ("**/end.txt", "a/b/end.txt", True),
        ("*.done", "cells.done.tif", False),
        ("*.done", "", False),
    ],
)
def test_a_marker_is_met_by_a_file_of_that_name(pattern: str, there: str, met: bool) -> None:
    verdict = Marker(pattern)(situation(companions=(there,) if there else ()))
    assert verdict.met is met
    assert verdict.by == f"marker:{pattern}"


def test_a_marker_that_is_not_there_is_named() -> None:
    assert Marker("*.done")(situation()).waits_for == ("the marker file *.done",)


def test_a_listed_file_that_is_not_there_is_named() -> None:
    verdict = Listed()(situation(missing=("a.tif", "b.tif")))
    assert not verdict.met
    assert verdict.waits_for == ("the missing file a.tif", "the missing file b.tif")
    assert Listed()(situation()) == Verdict(True, "listed-members", ())


@pytest.mark.parametrize(("name", "met"), [("x_final", True), ("X_FINAL_2", True), ("final", False)])
def test_a_name_is_met_by_a_set_of_that_name(name: str, met: bool) -> None:
    verdict = Named("*_final*")(situation(name=name))
    assert verdict.met is met
    assert verdict.by == "name:*_final*"


def test_a_fault_in_the_structure_is_what_is_waited_for() -> None:
    assert Sound()(situation(problems=("a.tif: cut off",))) == Verdict(False, "", ("a.tif: cut off",))
    assert Sound()(situation()).met


@pytest.mark.parametrize(("quiet_for", "met"), [(86399, False), (86400, True)])
def test_a_deadline_counts_from_the_last_change(quiet_for: float, met: bool) -> None:
    assert Deadline(86400)(situation(quiet_for)).met is met


@pytest.mark.parametrize("a", [True, False])
@pytest.mark.parametrize("b", [True, False])
def test_and_asks_for_both_and_or_for_either(a: bool, b: bool) -> None:
    one, other = Fixed("one", met=a), Fixed("other", met=b)
    both, either = (one & other)(situation()), (one | other)(situation())
    assert both.met is (a and b)
    assert either.met is (a or b)
    assert set(both.waits_for) == {f"waits {rule.verdict.by}" for rule in (one, other) if not rule.verdict.met}
    if a and b:
        assert both.by == "one & other"
    if either.met:
        assert either.by == ("one" if a else "other")
        assert either.waits_for == ()
    else:
        assert either.waits_for == ("waits one", "waits other")


def profile_rule(**complete: str) -> Rule:
    sections: dict[str, object] = {**complete}
    return whole_rule(Complete.model_validate(sections), Watch(path=Path("/data"), settle=20.0))


def test_without_signals_a_set_is_finished_when_it_was_quiet_and_whole() -> None:
    rule = profile_rule(quiet="2m")
    assert rule(situation(120)) == Verdict(True, "quiet:120s & listed-members", ())
    assert not rule(situation(119)).met
    assert not rule(situation(120, missing=("b",))).met
    assert not rule(situation(120, problems=("cut off",))).met


def test_quiet_is_never_shorter_than_the_time_in_which_a_file_settles() -> None:
    rule = profile_rule(quiet="0s")
    assert not rule(situation(19)).met
    assert rule(situation(20)).met


def test_a_signal_of_the_instrument_spares_the_quiet_time() -> None:
    rule = profile_rule(quiet="1h", marker="*.done")
    assert rule(situation(20, companions=("x.done",))).met
    assert not rule(situation(19, companions=("x.done",))).met
    assert not rule(situation(7200)).met


def test_two_signals_must_both_be_there() -> None:
    rule = profile_rule(marker="*.done", name="*_final")
    assert rule(situation(name="a_final", companions=("x.done",))).met
    assert not rule(situation(name="a", companions=("x.done",))).met
    verdict = rule(situation(1, name="a", missing=("m",)))
    assert verdict.waits_for == (
        "no change for 20 s (19 s left)", "the marker file *.done", "a name like *_final", "the missing file m",
    )  # fmt: skip
