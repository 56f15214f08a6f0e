from tests.fakes.browsers import browser, musicians, playwright

__all__ = ["browser", "musicians", "playwright"]
