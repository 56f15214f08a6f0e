from tests.fakes.browsers import browser, hub, musicians, playwright, run

__all__ = ["browser", "hub", "musicians", "playwright", "run"]
