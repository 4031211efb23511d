"""Pages as text: the templates, what can be said in them, and how states look."""

import time
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from watcher import __version__
from watcher.model import ImageSet, State
from watcher.overview import words
from watcher.overview.language import catalogue, later, say, say_many
from watcher.overview.people import how_well
from watcher.overview.picture import pace_words, safe_to_delete

HERE: Final = Path(__file__).parent
STATIC: Final = HERE / "static"

#: What a state looks like, beside its words: the name of an icon, which is also that of a colour.
LOOKS: Final[Mapping[State, str]] = {
    State.GROWING: "writing",
    State.COMPLETE: "way",
    State.VALID: "way",
    State.DELIVERED: "way",
    State.VERIFIED: "way",
    State.PUBLISHED: "safe",
    State.RELEASED: "safe",
    State.HELD: "attention",
    State.SKIPPED: "aside",
    State.SUPERSEDED: "aside",
}
#: The mood of the whole in one word, for the title.
MOODS: Final = {
    "safe": later("safe"),
    "busy": later("busy"),
    "paused": later("paused"),
    "attention": later("needs attention"),
}


def look(one: ImageSet) -> str:
    """How a set is shown."""
    return "paused" if one.on_hold and one.state not in {State.PUBLISHED, State.HELD} else LOOKS[one.state]


def moment(seconds: float | None) -> Markup:
    """A time: of today without its day, and whole for programs."""
    if not seconds:
        return Markup("–")
    local = time.localtime(seconds)
    today = local[:3] == time.localtime()[:3]
    shown = time.strftime("%H:%M" if today else "%Y-%m-%d %H:%M", local)
    whole = time.strftime("%Y-%m-%dT%H:%M:%S%z", local)
    return Markup('<time datetime="{}" title="{}">{}</time>').format(whole, words.when(seconds), shown)


def first_large(text: str) -> str:
    """A sentence's first letter as a capital."""
    return text[:1].upper() + text[1:]


def environment() -> Environment:
    """The templates, which speak the language of whoever asks."""
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n"],
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.install_gettext_callables(  # type: ignore[attr-defined]
        lambda text: catalogue().gettext(text),
        lambda one, many, number: catalogue().ngettext(one, many, number),
        newstyle=True,
    )
    made.globals |= {
        "say": say, "say_many": say_many, "words": words, "look": look, "safe_to_delete": safe_to_delete,
        "pace_words": pace_words, "how_well": how_well, "MOODS": MOODS, "version": __version__, "static": _address,
    }  # fmt: skip
    made.filters |= {"moment": moment, "large": first_large, "amount": words.amount, "duration": words.duration}
    return made


def as_bytes(text: str) -> bytes:
    """A page as it is sent: what is no text in a file's name is shown as its code."""
    return text.encode("utf-8", "backslashreplace")


def _address(name: str) -> str:
    """The address of a file that comes with the program; another one for each version of it."""
    if name not in _digests:
        _digests[name] = sha256((STATIC / name).read_bytes()).hexdigest()[:12]
    return f"/static/{name}?{_digests[name]}"


_digests: dict[str, str] = {}
