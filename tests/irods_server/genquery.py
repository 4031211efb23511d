"""GenQuery (API 702): joins over the catalogue, conditions, order, aggregates, pages."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from .codes import Code, RefusedError
from .columns import Column, Grant, columns
from .conditions import Test, compile_condition, literal_beginning, literals
from .entities import Collection, DataObject, User
from .packing import Node, escape
from .zone import Zone

ORDER_BY, ORDER_BY_DESC = 0x400, 0x800
SELECT_MIN, SELECT_MAX, SELECT_SUM, SELECT_AVG, SELECT_COUNT = 2, 3, 4, 5, 6
RETURN_TOTAL_ROW_COUNT, NO_DISTINCT, UPPER_CASE_WHERE = 0x20, 0x40, 0x200
MAX_STATEMENTS: Final = 50
MAX_COLUMNS: Final = 50
MINIMUM_LENGTH: Final = 50

_OBJECT_TABLES = {"object", "object_avu", "object_access"}
_COLLECTION_TABLES = {"collection", "collection_avu", "collection_access", "collection_user"}
_EMPTY_COLUMN = "<SqlResult_PI>\n<attriInx>0</attriInx>\n<reslen>0</reslen>\n</SqlResult_PI>\n"

Row = dict[str, Any]
Record = tuple[str, ...]


@dataclass(slots=True)
class Statement:
    """A query that has more rows to give."""

    selected: list[int]
    records: list[Record]
    position: int = 0
    total: int = 0


@dataclass
class Queries:
    """The open statements of one agent; they are few, and leaking them ends in CAT_STATEMENT_TABLE_FULL."""

    zone: Zone
    statements: dict[int, Statement] = field(default_factory=dict)

    def run(self, user: User, body: Node) -> bytes:
        """Answer one request: a new query, the next page (`continueInx`), or with no rows wanted its end."""
        wanted, number = body.number("maxRows"), body.number("continueInx")
        if wanted <= 0:
            self.statements.pop(number, None)
            return pack_page([], [], 0, 0)
        statement = self.statements.get(number)
        if number and statement is None:
            raise RefusedError(Code.CAT_INVALID_ARGUMENT)
        if statement is None:
            statement = self._start(user, body)
            if len(self.statements) >= MAX_STATEMENTS:
                raise RefusedError(Code.CAT_STATEMENT_TABLE_FULL)
            number = next(n for n in range(1, MAX_STATEMENTS + 1) if n not in self.statements)
            self.statements[number] = statement
        page = statement.records[statement.position : statement.position + wanted]
        statement.position += len(page)
        if len(page) < wanted:
            # A page that is exactly full says "continue" even when nothing follows (iRODS general_query.cpp).
            del self.statements[number]
            number = 0
        if not page:
            raise RefusedError(Code.CAT_NO_ROWS_FOUND, body=pack_page([], [], 0, 0))
        return pack_page(statement.selected, page, number, statement.total)

    def _start(self, user: User, body: Node) -> Statement:
        options = body.number("options")
        known = columns(self.zone)
        select = body.child("InxIvalPair_PI")
        selected = [int(node.text) for node in select.all("inx")]
        flags = [int(node.text) for node in select.all("ivalue")]
        where = body.child("InxValPair_PI")
        conditions = [
            (int(number.text), condition.text)
            for number, condition in zip(where.all("inx"), where.all("svalue"), strict=True)
        ]
        if not all(number in known for number in [*selected, *(number for number, _ in conditions)]):
            raise RefusedError(Code.CAT_INVALID_ARGUMENT)
        upper = bool(options & UPPER_CASE_WHERE)
        tests = [
            (known[number], compile_condition(text, numeric=known[number].numeric, upper=upper))
            for number, text in conditions
        ]
        tests, others = _avus_apart(tests, known[610])
        tables = {known[number].table for number in [*selected, *(number for number, _ in conditions)]}
        with self.zone.catalogue.lock:
            narrow = _Narrow() if upper else _Narrow.of(conditions)
            rows = _Join(self.zone, user, tables, narrow).rows()
            records = _project(_filter(_having(rows, others), tests), [known[number] for number in selected], flags)
        if not options & NO_DISTINCT:
            records = list(dict.fromkeys(records))
        records = _sort(records, [known[number] for number in selected], flags)
        total = len(records) if options & RETURN_TOTAL_ROW_COUNT else 0
        return Statement(selected, records, body.number("partialStartIndex"), total)


@dataclass(frozen=True)
class _Narrow:
    """What conditions say of where to look, by column: the values that may be, and the path that all lie below."""

    exact: dict[int, list[str]] = field(default_factory=dict)
    below: dict[int, str] = field(default_factory=dict)

    @classmethod
    def of(cls, conditions: list[tuple[int, str]]) -> "_Narrow":
        """Take from conditions what an index can use; the others are tested row by row."""
        exact = {number: values for number, text in conditions if (values := literals(text)) is not None}
        below = {number: path for number, text in conditions if (path := literal_beginning(text)) is not None}
        return cls(exact, below)


class _Join:
    """The rows of the tables that a query touches, as far as `user` may see them."""

    def __init__(self, zone: Zone, user: User, tables: set[str], narrow: _Narrow) -> None:
        self._catalogue = zone.catalogue
        self._user = user
        self._tables = tables
        self._exact = narrow.exact
        self._below = narrow.below

    def rows(self) -> Iterator[Row]:
        """All combinations, joined where iRODS joins them."""
        rows: Iterable[Row] = [{}]
        if self._tables & _OBJECT_TABLES:
            rows = ({"collection": item.collection, "object": item} for item in self._objects())
        elif self._tables & _COLLECTION_TABLES:
            rows = ({"collection": item} for item in self._collections())
        joins: dict[str, Callable[[Row], Iterable[Any]]] = {
            "object_avu": lambda row: row["object"].avus.values(),
            "collection_avu": lambda row: row["collection"].avus.values(),
            "object_access": lambda row: _grants(row["object"]),
            "collection_access": lambda row: _grants(row["collection"]),
            "collection_user": self._collection_users,
            "user": self._users,
            "group": self._groups,
            "resource": self._resources,
            "zone": lambda _: [None],
        }
        for table, partners in joins.items():
            if table in self._tables:
                rows = _extend(rows, table, partners)
        return iter(rows)

    def _collections(self) -> Iterable[Collection]:
        return (item for item in self._candidate_collections() if self._catalogue.visible(self._user, item))

    def _candidate_collections(self) -> Iterable[Collection]:
        known = self._catalogue.collections
        if 501 in self._exact:
            return [found for path in dict.fromkeys(self._exact[501]) if (found := known.get(path))]
        if 502 in self._exact:
            return [child for path in self._exact[502] if path in known for child in known[path].children.values()]
        if 501 in self._below:
            top = known.get(self._below[501])
            return list(self._catalogue.walk(top)) if top else []
        return list(known.values())

    def _objects(self) -> Iterator[DataObject]:
        for item in self._candidates():
            if self._catalogue.visible(self._user, item) and (
                not self._tables & _COLLECTION_TABLES or self._catalogue.visible(self._user, item.collection)
            ):
                yield from item.replicas

    def _candidates(self) -> Iterable[DataObject]:
        by_id = self._catalogue.objects_by_id
        if 401 in self._exact:
            return [by_id[int(value)] for value in self._exact[401] if value.isdecimal() and int(value) in by_id]
        if not {501, 402} & self._exact.keys() and 501 not in self._below:
            return list(by_id.values())
        wanted = self._exact.get(402)
        collections = [item for item in self._collections() if wanted is None or str(item.id) in wanted]
        if 403 in self._exact:
            names = self._exact[403]
            return [found for item in collections for name in names if (found := item.objects.get(name))]
        return [found for item in collections for found in item.objects.values()]

    def _collection_users(self, row: Row) -> list[User]:
        grant = row.get("collection_access")
        holders = {grant.user_id} if grant else set(row["collection"].access)
        return [user for user in self._catalogue.users.values() if user.id in holders]

    def _users(self, row: Row) -> list[User]:
        grant = row.get("object_access") or row.get("collection_access")
        return [user for user in self._catalogue.users.values() if grant is None or user.id == grant.user_id]

    def _groups(self, row: Row) -> list[User]:
        """Every user is a group of its own; of the groups only `public` is certain to be (icatSetupValues.sql)."""
        user = row.get("user")
        if user is None:
            return list(self._catalogue.users.values())
        alone = {user.key} if user.type != "rodsgroup" or user.key == "public" else set()
        return [self._catalogue.users[name] for name in alone | user.groups]

    def _resources(self, row: Row) -> list[Any]:
        item = row.get("object")
        return [each for each in self._catalogue.resources.values() if item is None or each.name == item.resource]


def _extend(rows: Iterable[Row], table: str, partners: Callable[[Row], Iterable[Any]]) -> Iterator[Row]:
    return (row | {table: partner} for row in rows for partner in partners(row))


def _grants(entity: Collection | DataObject) -> list[Grant]:
    return [Grant(holder, level, entity.id) for holder, level in entity.access.items()]


def _filter(rows: Iterator[Row], tests: list[tuple[Column, Test]]) -> Iterator[Row]:
    return (row for row in rows if all(test(column.value(row[column.table])) for column, test in tests))


def _avus_apart(
    tests: list[tuple[Column, Test]], name: Column
) -> tuple[list[tuple[Column, Test]], list[list[tuple[Column, Test]]]]:
    """The tests of a row, and of further AVUs that its collection must have: from the second name of an AVU on, each
    name with what follows is about another AVU (general_query.cpp, handleMultiCollAVUConditions)."""
    here: list[tuple[Column, Test]] = []
    groups: list[list[tuple[Column, Test]]] = []
    for column, test in tests:
        if column is name:
            groups.append([])
        (groups[-1] if groups and column.table == name.table else here).append((column, test))
    return [*here, *(groups[0] if groups else [])], groups[1:]


def _having(rows: Iterator[Row], others: list[list[tuple[Column, Test]]]) -> Iterator[Row]:
    for row in rows:
        avus = row["collection"].avus.values() if others else ()
        if all(any(all(test(column.value(avu)) for column, test in group) for avu in avus) for group in others):
            yield row


def _project(rows: Iterator[Row], selected: list[Column], flags: list[int]) -> list[Record]:
    records = [tuple(column.value(row[column.table]) for column in selected) for row in rows]
    aggregates = [flag & 0xF if SELECT_MIN <= flag & 0xF <= SELECT_COUNT else 0 for flag in flags]
    if not any(aggregates):
        return records
    groups: dict[Record, list[Record]] = {}
    for record in records:
        key = tuple(value for value, aggregate in zip(record, aggregates, strict=True) if not aggregate)
        groups.setdefault(key, []).append(record)
    return [
        tuple(
            _aggregate(aggregate, [record[i] for record in group], numeric=selected[i].numeric)
            for i, aggregate in enumerate(aggregates)
        )
        for group in groups.values()
    ]


def _aggregate(kind: int, values: list[str], *, numeric: bool) -> str:
    if kind == SELECT_COUNT:
        return str(len(values))
    if kind in (SELECT_MIN, SELECT_MAX):
        choose = min if kind == SELECT_MIN else max
        return str(choose(values, key=_sort_key(numeric=numeric)))
    if kind in (SELECT_SUM, SELECT_AVG):
        total = sum(int(value) for value in values)
        return str(total if kind == SELECT_SUM else total / len(values))
    return values[0]


def _sort_key(*, numeric: bool) -> Callable[[str], Any]:
    return (lambda value: int(value)) if numeric else (lambda value: value)


def _sort(records: list[Record], selected: list[Column], flags: list[int]) -> list[Record]:
    """In the order asked for; the rest as SELECT DISTINCT usually leaves it, by the columns from the left."""
    if any(SELECT_MIN <= flag & 0xF <= SELECT_COUNT for flag in flags):
        return records
    keys = [_sort_key(numeric=column.numeric) for column in selected]
    records = sorted(records, key=lambda record: [key(value) for key, value in zip(keys, record, strict=True)])
    for i in reversed(range(len(flags))):
        if flags[i] & (ORDER_BY | ORDER_BY_DESC):
            records.sort(key=lambda record: keys[i](record[i]), reverse=bool(flags[i] & ORDER_BY_DESC))
    return records


def pack_page(selected: list[int], page: list[Record], continue_index: int, total: int) -> bytes:
    """`GenQueryOut_PI`: column by column, always fifty of them (06-list-genquery)."""
    parts = [
        f"<GenQueryOut_PI>\n<rowCnt>{len(page)}</rowCnt>\n<attriCnt>{len(selected)}</attriCnt>\n"
        f"<continueInx>{continue_index}</continueInx>\n<totalRowCount>{total}</totalRowCount>\n"
    ]
    longest = max((len(value.encode("utf-8", "surrogateescape")) + 1 for row in page for value in row), default=0)
    for i, number in enumerate(selected):
        values = [row[i] for row in page]
        length = max(MINIMUM_LENGTH, longest)
        if number == 422:
            # The hierarchy is put in after the query, at its own length (rsGenQuery.cpp; 09-parallel-put).
            length = max(len(value) for value in values) + 1
        parts.append(f"<SqlResult_PI>\n<attriInx>{number}</attriInx>\n<reslen>{length}</reslen>\n")
        parts += [f"<value>{escape(value)}</value>\n" for value in values]
        parts.append("</SqlResult_PI>\n")
    parts.append(_EMPTY_COLUMN * (MAX_COLUMNS - len(selected)))
    parts.append("</GenQueryOut_PI>\n")
    return "".join(parts).encode("utf-8", "surrogateescape")
