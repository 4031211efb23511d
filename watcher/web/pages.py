"""The pages that only show: the overview, one set, its picture, what this is, and how to log in."""

from typing import Final

from starlette.responses import FileResponse, PlainTextResponse, Response

from watcher.errors import SetNotFound, UsageError
from watcher.model import PERSONAL, UNDER_WAY, ImageSet, State
from watcher.overview import handoffs, picture
from watcher.overview.attention import HANGS
from watcher.overview.language import later
from watcher.overview.people import in_detail
from watcher.overview.picture import Overview
from watcher.pipeline.amend import in_words
from watcher.web import listing, views
from watcher.web.asking import Ask, as_text, page
from watcher.web.exposing import exposed

#: Members on a page.
MEMBERS: Final = 50
#: What is said after an order, by the word in the address.
SAID: Final = {
    "retried": later("It is tried again."),
    "skipped": later("It is left out; its files stay where they are."),
    "held": later("Nothing of it is sent until it is tried again."),
    "attributed": later("Noted. The archive is told soon if the set is there already."),
    "paused": later("Nothing is sent until you let it go on."),
    "resumed": later("Sending goes on."),
    "made": later("The request is written down."),
    "closed": later("The request is closed."),
    "started": later("The session has begun: what the instrument writes now belongs to it."),
    "stopped": later("The session has ended."),
}


def first(ask: Ask) -> Response:
    """The instrument at a glance, and the list of its sets; made once for all who see the same of a picture."""
    key = (ask.visitor, tuple(sorted(ask.query.items())), ask.partial)
    made = ask.site.glance.once(ask.language, key, lambda overview: _first(ask, overview))
    return Response(made, media_type="text/html")


def _first(ask: Ask, overview: Overview) -> bytes:
    site = ask.site
    query = listing.asked(ask.query, site.profile.instrument.timezone, sees_people=ask.sees_people)
    found, (needs, more_needs) = query.page(site.journal), views.needs(ask, overview)
    return as_text(
        ask, "overview.html", overview=overview, query=query, found=found, rows=views.rows(ask, found.sets),
        needs=needs, more_needs=more_needs, beats=views.beats(overview.hours), groups=listing.GROUP_WORDS,
        agents=handoffs.agent_lines(site.journal), notice=notice(ask), headline=picture.sentence(overview),
        tiles=views.tiles(overview), became=views.became(overview),
    )  # fmt: skip


def one_set(ask: Ask) -> Response:
    """All that is known of one set."""
    journal, one = ask.site.journal, the_set(ask)
    number = _number(ask.query.get("page", "1"))
    count = journal.listing.member_count(one)
    made_by, (row,) = journal.attributions.record(one.id), views.rows(ask, [one])
    return page(
        ask, "set.html", one=one, row=row, notice=notice(ask), number=number, count=count,
        pages=max(1, -(-count // MEMBERS)), members=journal.listing.members(one, MEMBERS, (number - 1) * MEMBERS),
        amounts=journal.sets.amounts(one.id), history=journal.sets.history(one.id)[::-1],
        made_by=made_by, known=list(in_detail(made_by)) if made_by else [],
        how_well=views.known(made_by.state) if made_by else "",
        answer=handoffs.words(journal.handoffs.of(one)),
        granted=sorted(journal.attributions.granted(one.id).items()),
        changes=[(change, in_words(change)) for change in journal.attributions.changes(one.id)],
        metadata=[(key, value) for key, value in one.embedded.items() if ask.sees_people or key not in PERSONAL],
        can_retry=one.state in {State.HELD, State.SKIPPED, State.GROWING, *UNDER_WAY},
        can_skip=one.state in {State.GROWING, State.HELD, *UNDER_WAY},
        can_hold=one.state in {State.GROWING, *UNDER_WAY} and not one.on_hold,
    )  # fmt: skip


def thumbnail(ask: Ask) -> Response:
    """The picture of a set. Only of one that the journal knows, so that no address leads to another file."""
    found = ask.site.thumbnail(the_set(ask).id)
    if found is None:
        raise SetNotFound("there is no picture of this set", cure="")
    return FileResponse(found, media_type="image/png")


def about(ask: Ask) -> Response:
    """Which program this is, for which instrument, with what it looks at."""
    return page(
        ask, "about.html", profile=ask.site.profile, state=ask.site.journal.state, exposed=exposed(ask.site.profile.web)
    )


def health(ask: Ask) -> Response:
    """Whether the watcher looks at its folders, for other programs: 200 if it does."""
    heartbeat = ask.site.journal.noted("heartbeat")
    fresh = isinstance(heartbeat, float) and ask.site.now() - heartbeat <= HANGS
    return PlainTextResponse("ok\n" if fresh else "the watcher has not looked at its folders\n", 200 if fresh else 503)


def the_set(ask: Ask) -> ImageSet:
    """The set that the address names. Raises SetNotFound."""
    return ask.site.journal.sets.get(f"urn:uuid:{ask.parts['number']}")


def notice(ask: Ask) -> str:
    """What is said after an order; nothing that an address can bring along itself."""
    return SAID.get(ask.query.get("said", ""), "")


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= 10**8):
        raise UsageError(f"page {text}: there is none", cure="begin at the first page")
    return int(text[:9])
