"""The conversation with the agent that a set is handed to, in the metadata of its collection (watcher/HANDOFF.md).

The watcher asks once, before the marker; from then on `AGENTS` are the agent's alone, and what it writes comes from
outside: it is shown as it is, as far as it can be shown, and decides nothing but whether it is looked at again.
"""

from collections.abc import Collection
from typing import Final

from watcher.model import Answer, Avu
from watcher.profile import Profile

HANDOFF: Final = "acq:handoff"
_AGENT: Final = "acq:handoff.agent"
_MESSAGE: Final = "acq:handoff.message"
_RESULT: Final = "acq:handoff.result"
_REQUESTED: Final = "requested"
#: What the agent of a set answers with: nobody but it changes these once the set is published, and we never.
AGENTS: Final = frozenset({HANDOFF, _MESSAGE, _RESULT})
#: All that is said in the conversation, which is held about one place of a set only.
CONVERSATION: Final = AGENTS | {_AGENT}

#: Of an answer so many characters of a word and of a text are kept, and so many results.
_WORD: Final = 100
_TEXT: Final = 500
_RESULTS: Final = 50


def is_handoff(attribute: str) -> bool:
    """Whether an attribute is part of the conversation with the agent of one set."""
    return attribute in {*AGENTS, _AGENT}


def request(profile: Profile) -> list[tuple[str, object]]:
    """What asks the profile's agent to take a set on, if there is one."""
    agent = profile.handoff.agent
    return [(HANDOFF, _REQUESTED), (_AGENT, agent)] if agent else []


def without_answered(wanted: Collection[Avu], there: Collection[Avu]) -> set[Avu]:
    """What is to be written, without asking again where an agent has been asked, and perhaps has answered, already."""
    asked = any(avu.attribute == HANDOFF for avu in there)
    return {avu for avu in wanted if not (asked and avu.attribute == HANDOFF)}


def answer_in(avus: Collection[Avu]) -> Answer | None:
    """What the metadata say of the hand-off; None if the set was handed to nobody."""
    states = _values(avus, HANDOFF, _WORD)
    if not states:
        return None
    # An agent that adds its answer instead of changing the request means the answer.
    answered = [state for state in states if state != _REQUESTED] or [_REQUESTED]
    return Answer(
        agent=", ".join(_values(avus, _AGENT, _WORD)) or "unknown",
        state=_shown(", ".join(answered), _WORD),
        message=_shown("; ".join(_values(avus, _MESSAGE, _TEXT)), _TEXT),
        results=tuple(_values(avus, _RESULT, _WORD)[:_RESULTS]),
    )


def _values(avus: Collection[Avu], attribute: str, most: int) -> list[str]:
    return sorted(_shown(avu.value, most) for avu in avus if avu.attribute == attribute)


def _shown(text: str, most: int) -> str:
    printable = "".join(character if character.isprintable() else " " for character in text).strip()
    return printable if len(printable) <= most else printable[: most - 3] + "..."
