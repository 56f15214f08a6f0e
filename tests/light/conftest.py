"""A noisy machine may pause in the middle of any example: what is checked is the result, never its time."""

from hypothesis import settings

settings.register_profile("patient", deadline=None)
settings.load_profile("patient")
