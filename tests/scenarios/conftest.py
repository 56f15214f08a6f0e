"""Scenarios make hosts of network namespaces, which takes root."""

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserType, sync_playwright


@pytest.fixture(scope="session", autouse=True)
def _root(request: pytest.FixtureRequest) -> None:
    wanted = any("scenario" in item.keywords for item in request.session.items)
    if wanted and os.geteuid():
        pytest.skip("network namespaces take root: sudo ./scripts/test tests/scenarios")


@pytest.fixture(scope="module")
def chromium() -> Iterator[BrowserType]:
    with sync_playwright() as playwright:
        yield playwright.chromium
