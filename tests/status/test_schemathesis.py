"""Whatever the description allows, and much that it does not, is answered as it says, and never by a fault of ours."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.fakes.box import open_box

ENDING = ("/api/leave", "/api/sessions/resume")  # the daemon would be gone
STREAM = "/events"
CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,"
    "negative_data_rejection"
)


@pytest.mark.slow
def test_the_description_is_true(tmp_path: Path) -> None:
    with open_box(tmp_path, "FUZZ22") as box:
        arguments = [f"--exclude-path={path}" for path in (*ENDING, STREAM)]
        tried = subprocess.run(
            [
                *(sys.executable, "-m", "schemathesis.cli", "run", f"{box.base}/openapi.json"),
                *arguments,
                *("--checks", CHECKS, "--max-examples", "40", "--mode", "all", "--seed", "1", "--no-color"),
            ],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            timeout=900,
            check=False,
        )
        assert tried.returncode == 0, tried.stdout[-6000:] + tried.stderr[-2000:]
        assert "Tested: 19" in tried.stdout
        assert box.ask("GET", "/healthz").status == 200
        assert "Traceback" not in box.said()
