"""GenQuery of the test server: conditions by themselves, pages and joins through the unmodified python-irodsclient."""

from collections.abc import Iterator
from typing import Any

import pytest
from irods.column import Between, In, Like
from irods.exception import CAT_STATEMENT_TABLE_FULL, iRODSException
from irods.models import Collection, CollectionMeta, DataObject, User

from tests.irods_server import IrodsServer
from tests.irods_server.codes import RefusedError
from tests.irods_server.conditions import compile_condition
from tests.irods_server.dialogue import ExtractRequest, ask, bundle, connect, put

HOME = "/tempZone/home/rods"


@pytest.fixture
def server() -> Iterator[IrodsServer]:
    with IrodsServer(users={"alice": "alice", "bob": "bob"}) as running:
        yield running


@pytest.fixture
def session(server: IrodsServer) -> Iterator[Any]:
    with connect(server) as opened:
        yield opened


@pytest.fixture
def many(server: IrodsServer, session: Any) -> Any:
    files = {f"f{number:04d}": b"x" * (number % 7) for number in range(1200)}
    put(session, f"{HOME}/many.tar", bundle(files))
    with session.pool.get_connection() as connection:
        ask(connection, 665, ExtractRequest(f"{HOME}/many.tar", f"{HOME}/many"))
    session.data_objects.unlink(f"{HOME}/many.tar", force=True)
    return session


@pytest.mark.parametrize(("limit", "pages"), [(256, 5), (500, 3), (400, 4)])
def test_pages(server: IrodsServer, many: Any, limit: int, pages: int) -> None:
    server.reset_requests()
    query = many.query(DataObject.name).limit(limit)
    assert [row[DataObject.name] for row in query] == [f"f{number:04d}" for number in range(1200)]
    # 1200 is three full pages of 400, after which the server says that there is more.
    assert [request.api for request in server.requests] == [702] * pages


def test_conditions(many: Any) -> None:
    def count(*conditions: Any) -> int:
        return len(list(many.query(DataObject.name, DataObject.size).filter(*conditions)))

    assert count(DataObject.size == 3) == 171
    assert count(DataObject.size > 4, DataObject.name != "f0005") == 341
    assert count(Like(DataObject.name, "f00__")) == 100
    assert count(In(DataObject.name, ["f0001", "f0002", "none"])) == 2
    assert count(Between(DataObject.name, ("f0010", "f0019"))) == 10
    assert count(Collection.name == f"{HOME}/many", DataObject.name == "f0007") == 1
    assert count(Collection.name == f"{HOME}/none") == 0


def test_order_and_aggregates(many: Any) -> None:
    query = many.query(DataObject.name).order_by(DataObject.name, order="desc").limit(2)
    assert [row[DataObject.name] for row in query.all()] == ["f1199", "f1198"]
    row = many.query().count(DataObject.id).sum(DataObject.size).one()
    assert (row[DataObject.id], row[DataObject.size]) == (1200, sum(number % 7 for number in range(1200)))


def test_queries_left_open_run_out(server: IrodsServer, many: Any) -> None:
    with many.pool.get_connection() as connection:
        message = many.query(DataObject.name).limit(1)._message()
        for _ in range(50):
            ask(connection, 702, message)
        with pytest.raises(CAT_STATEMENT_TABLE_FULL):
            ask(connection, 702, message)


def test_a_collection_may_be_asked_for_by_several_avus(session: Any) -> None:
    for name, avus in {"a": {"k": "1", "l": "2"}, "b": {"k": "1", "l": "3"}, "c": {"k": "2", "l": "2"}}.items():
        collection = session.collections.create(f"{HOME}/{name}")
        for key, value in avus.items():
            collection.metadata.add(key, value)
    by_one = [CollectionMeta.name == "k", CollectionMeta.value == "1"]
    found = session.query(Collection.name).filter(*by_one)
    assert [row[Collection.name] for row in found] == [f"{HOME}/a", f"{HOME}/b"]
    found = session.query(Collection.name).filter(*by_one, CollectionMeta.name == "l", CollectionMeta.value == "2")
    assert [row[Collection.name] for row in found] == [f"{HOME}/a"]
    swapped = [CollectionMeta.name == "k", CollectionMeta.value == "2", CollectionMeta.name == "l"]
    found = session.query(Collection.name).filter(*swapped, CollectionMeta.value == "1")
    assert list(found) == []


def test_joins(server: IrodsServer, session: Any) -> None:
    server.add_group("lab", ["alice", "bob"])
    session.collections.get(HOME).metadata.add("state", "done")
    found = session.query(Collection.name).filter(CollectionMeta.name == "state", CollectionMeta.value == "done")
    assert [row[Collection.name] for row in found] == [HOME]
    assert {user.name for user in session.groups.get("lab").members} == {"alice", "bob"}
    assert [row[User.type] for row in session.query(User.type).filter(User.name == "lab")] == ["rodsgroup"]
    assert session.resources.get("demoResc").type == "unixfilesystem"


@pytest.mark.parametrize(
    ("condition", "yes", "no"),
    [
        ("= 'it's'", "it's", "its"),
        ("= 'a' || = 'b'", "b", "c"),
        ("like 'a%' && not like '%z'", "abc", "abz"),
        ("like 'a%' && <> 'ab' || = 'x && y'", "x && y", "ab"),
        (r"like '100\%'", "100%", "1000"),
        ("like 'a_c'", "abc", "abbc"),
        ("not in ('a','b')", "c", "a"),
        ("in ('it's', 'b')", "it's", "its"),
        ("> '10'", "9", "1"),
        ("n> '10'", "11", "9"),
        ("n> '10'", "11", "no number"),
        ("between '10' '20'", "15", "21"),
        ("parent_of '/a/b/c'", "/a/b", "/a/bc"),
        ("!= 'a'", "b", "a"),
    ],
)
def test_a_condition(condition: str, yes: str, no: str) -> None:
    test = compile_condition(condition, numeric=False, upper=False)
    assert test(yes)
    assert not test(no)


def test_numbers_compare_as_numbers_and_case_can_be_ignored() -> None:
    assert compile_condition("< '10'", numeric=True, upper=False)("9")
    assert compile_condition("= 'ABC'", numeric=False, upper=True)("aBc")
    assert compile_condition("like 'AB%'", numeric=False, upper=True)("abc")


@pytest.mark.parametrize("condition", ["resembles 'a'", "= a", "like"])
def test_a_malformed_condition_is_refused(condition: str) -> None:
    with pytest.raises(RefusedError):
        compile_condition(condition, numeric=False, upper=False)


def test_text_is_no_number(session: Any) -> None:
    with pytest.raises(iRODSException):
        list(session.query(DataObject.name).filter(DataObject.size > "many"))
