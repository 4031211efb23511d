"""The tree of errors as it is drawn in its module is the tree that the program has."""

import inspect
import re

import pytest

from watcher import errors
from watcher.errors import Exit, WatcherError

CLASSES = {
    name: found for name, found in vars(errors).items() if inspect.isclass(found) and issubclass(found, WatcherError)
}


def drawn() -> dict[str, tuple[str | None, int | None]]:
    """Each class in the docstring: the one that it is drawn below, and the exit code beside it."""
    tree: dict[str, tuple[str | None, int | None]] = {}
    above: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        found = re.fullmatch(r"    ([│├└─ ]*)([A-Z]\w+)(?: +(\d+))?(?:  .*)?", line)
        if found:
            depth = len(found[1]) // 4
            above = [*above[:depth], found[2]]
            tree[found[2]] = (above[-2] if depth else None, int(found[3]) if found[3] else None)
    return tree


def instance(name: str) -> WatcherError:
    kind = CLASSES[name]
    return kind(["a.yaml:1:1: x"]) if issubclass(kind, errors.DocumentError) else kind("it is so")


def test_the_drawing_has_all_classes_and_no_others() -> None:
    assert set(drawn()) == set(CLASSES)


@pytest.mark.parametrize("name", CLASSES)
def test_each_class_is_drawn_below_the_one_that_it_is_a_kind_of(name: str) -> None:
    above, _ = drawn()[name]
    assert above == (CLASSES[name].__bases__[0].__name__ if name != "WatcherError" else None)


@pytest.mark.parametrize("name", CLASSES)
def test_each_exit_code_is_the_one_that_is_drawn(name: str) -> None:
    tree = drawn()
    above, code = tree[name]
    while code is None:
        above, code = tree[above or ""]
    assert CLASSES[name].exit_code == code


@pytest.mark.parametrize("name", CLASSES)
def test_each_error_says_what_is_wrong_and_what_to_do(name: str) -> None:
    error = instance(name)
    assert error.what in str(error)
    if not issubclass(CLASSES[name], errors.DocumentError):
        assert error.cure
        assert str(error) == f"{error.what}; {error.cure}"
        assert str(CLASSES[name]("x", cure="do this")) == "x; do this"
        assert str(CLASSES[name]("x", cure="")) == "x"


@pytest.mark.parametrize("name", CLASSES)
def test_what_concerns_every_set_may_pass(name: str) -> None:
    found = CLASSES[name]
    if found.store_wide:
        assert found.transient


@pytest.mark.parametrize("name", CLASSES)
def test_what_is_to_be_tried_later_exits_so(name: str) -> None:
    found = CLASSES[name]
    if found.exit_code in {Exit.USAGE, Exit.PARTLY, Exit.UNEXPECTED}:
        assert not found.transient


def test_every_problem_of_a_profile_is_on_a_line_of_its_own() -> None:
    assert str(errors.ProfileError(["a:1:1: x", "a:2:1: y"])) == "a:1:1: x\na:2:1: y"


def test_exit_codes_do_not_change_their_meaning() -> None:
    assert {code.name: code.value for code in Exit} == {
        "OK": 0, "UNEXPECTED": 1, "USAGE": 2, "PARTLY": 3, "TRY_LATER": 5, "CONFIGURATION": 78, "INTERRUPTED": 130,
    }  # fmt: skip
