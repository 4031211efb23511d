"""Where the page is, and what it exposes to whom."""

import ipaddress

from watcher.overview.language import say
from watcher.profile import Web


def address_of(web: Web, port: int) -> str:
    """Where a person at this computer finds the page; with a name of its own if it has one and others use it, too."""
    scheme = "https" if web.certificate else "http"
    listen = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(web.listen, web.listen)  # noqa: S104
    name = web.hosts[0] if web.hosts and not web.is_local else f"[{listen}]" if ":" in listen else listen
    return f"{scheme}://{name}:{port}/"


def exposed(web: Web) -> str:
    """What is exposed to whom, in sentences."""
    guarded = web.password is not None or web.proxy is not None
    here = say("names of persons are shown") if web.people else say("no names of persons are shown")
    if not web.actions:
        orders = say("Nobody may order anything.")
    elif guarded:
        orders = say("Only who is known by the password or the proxy may order something.")
    else:
        orders = say("Whoever is at this computer may order something.")
    if web.proxy and ipaddress.ip_address(web.proxy.address).is_loopback:
        said = [say("Only who is known by the password or the proxy sees it, with names of persons."), orders]
    else:
        said = [say("Whoever is at this computer sees it; {people}.", people=here), orders]
    if not web.is_local:
        said.append(say("From other computers only who is known sees it, with names of persons."))
    return " ".join(said)
