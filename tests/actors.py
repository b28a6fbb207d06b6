"""Who acts in tests: people who may do everything, as at a desk without sign-in, and one who may do nothing."""

from core.access import Actor, local

ANN = local("ann")
NOBODY = Actor("nobody", frozenset())
