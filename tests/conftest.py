"""What all tests share."""

from hypothesis import settings

settings.register_profile("shared", deadline=None)  # the machine is shared: a slow example is no failure
settings.load_profile("shared")
