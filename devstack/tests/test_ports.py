"""Two stacks that start at the same moment do not choose the same port."""

import subprocess
import sys

from tibs_devstack.process import free_port, give_back

_CHOOSES = """
import sys
from tibs_devstack.process import free_port
print(free_port(int(sys.argv[1])), flush=True)
sys.stdin.read()
"""


def test_a_liked_port_that_another_process_has_chosen_is_not_chosen_again() -> None:
    liked = free_port()
    give_back(liked)
    other = subprocess.Popen(
        [sys.executable, "-c", _CHOOSES, str(liked)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert other.stdout is not None
        assert int(other.stdout.readline()) == liked

        chosen = free_port(liked)  # nobody listens there yet
        assert chosen != liked
        give_back(chosen)
    finally:
        other.communicate()

    assert free_port(liked) == liked
    give_back(liked)
