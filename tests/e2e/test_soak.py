"""Continuous load while everything changes, the short form of tests/soak/run."""
import subprocess
import sys

import topo


def test_nothing_is_lost_and_nothing_leaks(tmp_path):
    done = subprocess.run([sys.executable, str(topo.ROOT / "tests/soak/run"), "--quick", "--keep", str(tmp_path)],
                          capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
