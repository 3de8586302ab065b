"""Fixtures of the CNI plugin's tests; see scene.py."""
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import scene as scenes  # noqa: E402


@pytest.fixture
def scene():
    s = scenes.Scene()
    try:
        yield s
    finally:
        s.remove()


@pytest.fixture
def lonely():
    """No agent."""
    s = scenes.Scene(agent=False)
    try:
        yield s
    finally:
        s.remove()
