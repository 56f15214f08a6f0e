"""Some of the doctor's checks in a process of its own, for worlds that are entered before it starts: prints JSON.

python -m tests.doctor.look CONFIG CHECK...
"""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from jambridge.commands.options import configuration
from jambridge.doctor import everything, finding
from jambridge.doctor.examination import examine
from jambridge.doctor.finding import Finding, Verdict
from jambridge.doctor.probe import aside
from jambridge.strict_json import loads_object

PATIENCE_S = 90.0
MAX_BYTES = 100_000


def look(
    config: Path, *checks: str, before: Sequence[str] = (), environment: Mapping[str, str] | None = None
) -> dict[str, Finding]:
    """What these checks find, by name; `before` stands before the command, and enters the world."""
    done = subprocess.run(
        [*before, sys.executable, "-m", "tests.doctor.look", str(config), *checks],
        env=os.environ | {"JAMBRIDGE_STATE": str(config.parent / "state")} | dict(environment or {}),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.stdout, done.stderr
    return findings(done.stdout)


def findings(told: str) -> dict[str, Finding]:
    """By name, of the JSON that is told."""
    said = loads_object(told, MAX_BYTES)["findings"]
    found = [Finding(one["check"], Verdict(one["verdict"]), one["reason"], one["remedy"] or "") for one in said]
    return {one.check: one for one in found}


async def main(config: str, *names: str) -> list[Finding]:
    asyncio.get_running_loop().set_default_executor(aside.Impatient())
    patient = await everything.meet(configuration(Path(config)), config, None)
    checks = [check for check in everything.checks(patient) if check.name in names]
    assert len(checks) == len(names), names
    return [one async for some in examine(checks) for one in some]


if __name__ == "__main__":
    sys.stdout.write(json.dumps(finding.as_json(asyncio.run(main(*sys.argv[1:])))))
    sys.stdout.flush()
    os._exit(0)
