"""How each process of a shard begins: with a name that `top` shows, deaf to Ctrl-C, which the supervisor alone answers."""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
PR_SET_NAME = 15


def begin(name: str, *, dies_with_parent: bool = False) -> None:
    """Call first thing. `dies_with_parent`: Linux kills it when the supervisor is killed, even while it hangs in native code."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform != "linux":
        return
    prctl = ctypes.CDLL(None).prctl
    prctl(PR_SET_NAME, f"vigil-{name}".encode()[:15], 0, 0, 0)
    if dies_with_parent:
        parent_pid = os.getppid()
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent_pid:
            os._exit(1)
