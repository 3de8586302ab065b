"""Fixtures of the end-to-end tests; see topo.py."""
import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import topo  # noqa: E402


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.when == "call":
        item.failed_call = report.failed


@pytest.fixture
def host(request):
    h = topo.Host()
    try:
        h.start_agent()
        yield h
    finally:
        if getattr(request.node, "failed_call", True):
            print(h.explain_failure())
            if os.environ.get("BH_TEST_PAUSE"):
                print(f"left standing: namespace {h.netns.name}, folder {h.dir}")
                return
        h.remove()


@pytest.fixture
def shop(host):
    """The shop: web (nginx), client, intruder, and the policy that web speaks only HTTP with clients."""
    host.web = host.container("web", app="web")
    host.client = host.container("client", role="client")
    host.intruder = host.container("intruder", role="none")
    topo.nginx(host.web, host.dir / "www")
    host.apply(topo.WEB_ONLY_HTTP)
    return host


@pytest.fixture(params=[4, 6], ids=["ipv4", "ipv6"])
def family(request):
    return request.param
