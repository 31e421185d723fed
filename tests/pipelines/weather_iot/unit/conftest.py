"""What the tests of this pipeline's functions share."""

from tests.lambdas.conftest import function

__all__ = ["function"]
