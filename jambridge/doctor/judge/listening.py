"""The ports that the daemon and its hub listen on. Pure."""

import errno
import os
from dataclasses import dataclass

from jambridge.doctor.finding import Finding, failure, good, note, quoted

PORTS = "port"
_FREE_ONE = "set {} to a free port"


@dataclass(frozen=True, slots=True)
class Port:
    """`key` is the configuration's; `error` the errno that listening met, `holder` who has it, as far as it is seen.

    `is_ours`: what answers there is a daemon or a hub of jambridge.
    """

    key: str
    bind: str
    port: int
    error: int | None = None
    holder: str | None = None
    is_ours: bool = False


def port(facts: Port) -> Finding:
    name = f"{PORTS} {facts.port}"
    change = _FREE_ONE.format(facts.key)
    match facts.error:
        case None:
            return good(name, f"free for {facts.key}")
        case errno.EADDRINUSE if facts.is_ours:
            return note(name, f"jambridge listens there ({facts.key})")
        case errno.EADDRINUSE:
            who = f"{quoted(facts.holder)} has it" if facts.holder else "another program has it"
            end = f"end {quoted(facts.holder)}" if facts.holder else f"sudo ss -lptn sport = :{facts.port} names it"
            return failure(name, f"taken: {who} ({facts.key})", f"{end}, or {change}")
        case errno.EACCES | errno.EPERM:
            return failure(name, f"this user may not listen there ({facts.key})", f"{change}, 1024 or above")
        case errno.EADDRNOTAVAIL:
            section = facts.key.partition(".")[0]
            remedy = f"set {section}.bind to an address of this machine, or to 0.0.0.0"
            return failure(name, f"{quoted(facts.bind)} is no address of this machine ({section}.bind)", remedy)
    return failure(name, f"cannot be listened on: {os.strerror(facts.error)} ({facts.key})", change)
