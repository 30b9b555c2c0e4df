"""
Batches that know nothing of the name servers of earlier tests.

What is known of a server is kept by its port, and the kernel gives a port that was freed again.
"""

import pytest

from commands.dns import probe


@pytest.fixture(scope="module", autouse=True)
def _module_knows_no_server() -> None:
    """Forget the servers, before a module's fixtures ask theirs."""
    probe._found.clear()


@pytest.fixture(autouse=True)
def _test_knows_no_server() -> None:
    """Forget the servers, before a test asks its own."""
    probe._found.clear()
