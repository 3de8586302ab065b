"""The guest's kernel is the one that is meant, and what differs in it is what is in use. For tests/qemu/run."""
import platform
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "integration"))
from agent_host import agent, run, wait_for  # noqa: E402, F401


def test_it_is_debians():
    assert re.fullmatch(r"6\.1\.0-\d+-amd64", platform.release())
    assert "Debian" in platform.version()


def test_packets_are_queued_by_nftables_itself(agent):
    assert agent.status()["kernel"]["queue"] == "native"
    modules = Path("/proc/modules").read_text()
    # Nobody loaded them beforehand: the kernel does when the agent asks.
    assert "nft_queue " in modules and "nft_compat " not in modules
    for family in ("ip", "ip6"):
        listed = run(*agent.command("nft", "list", "table", family, "bulkhead")).stdout
        assert re.search(r"\bqueue (flags \S+ )?to \d+", listed), listed


def test_tables_have_no_owner(agent):
    """From Linux 6.9 on tables outlive their owner; before, ours have none, and what others change is put right."""
    assert agent.status()["kernel"]["owner"] == "none"
    for family in ("ip", "ip6"):
        run(*agent.command("nft", "insert", "rule", family, "bulkhead", "forward", "accept", "comment", "theirs"))
    wait_for("the tables stand as they were",
             lambda: "theirs" not in run(*agent.command("nft", "list", "ruleset")).stdout)
    wait_for("the time is recorded", lambda: agent.records(kind="loss"))
