"""Hypothesis for core: no deadline, since the machines that run this are shared and slow at times."""

from hypothesis import settings

settings.register_profile("desk", deadline=None)
settings.load_profile("desk")
