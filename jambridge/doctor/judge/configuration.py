"""What is wrong with the configuration. Pure."""

from jambridge.doctor.finding import Finding, failure, good, note, quoted

CONFIGURATION = "configuration"
_MEND = (
    "mend it there: config/jambridge.yaml has every key with its meaning; jambridge check-config tells when it is well"
)


def configuration(where: str, problems: str | None) -> list[Finding]:
    """`problems` are sentences, one a line, that say where each was written; `where` is empty if it cannot be used."""
    if problems is None:
        return [good(CONFIGURATION, where)]
    found = [failure(CONFIGURATION, quoted(line), _MEND) for line in problems.splitlines() if line.strip()]
    return found if where else [*found, note(CONFIGURATION, "all else is looked at with the defaults")]
