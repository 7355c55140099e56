"""What trials leave: the platforms of the bench, which they load as a house with its own would, are loaded no more."""

import pytest

import publishers


@pytest.fixture(scope="module", autouse=True)
def the_platforms_of_before():
    before = list(publishers._packages)
    yield
    publishers._packages[:] = before
    publishers.forget()
