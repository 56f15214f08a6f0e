"""What all tests share."""

from hypothesis import settings

settings.register_profile("shared", deadline=None)  # the machine is shared: a slow example is no failure
settings.register_profile("quick", settings.get_profile("shared"), max_examples=25)  # of a hundred, others each time
settings.load_profile("shared")
