"""What every test finds prepared."""

from hypothesis import settings

# One profile everywhere: the same examples on each run, and no deadline on a machine that others use too.
settings.register_profile("steady", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("steady")
