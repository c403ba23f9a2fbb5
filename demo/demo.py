"""Two services behind real Envoys: mutual TLS, permissions, a control plane that is killed while traffic goes on.

Everything runs on this machine's loopback, with files in a temporary directory, and is gone at the end. With ONCE=1 in the
environment the whole story is gone through and judged: `demo ok`, or what failed and the end of the log that tells why.
"""
import os
import signal
import sys

import story
from world import Failure, World


def stopped(signum, frame):
    raise KeyboardInterrupt


def main():
    once = os.environ.get("ONCE", "") not in ("", "0")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stopped)
    world = World(fixed_ports=not once)
    code = 1
    try:
        story.start(world)
        if once:
            story.go_through(world)
        else:
            story.invite(world)
            world.wait_for_the_end()
        code = 0
    except Failure as failure:
        print(f"\ndemo failed: {failure}", flush=True)
        world.show_log(failure.log)
    except KeyboardInterrupt:
        print("\nstopping", flush=True)
        code = 1 if once else 0
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    left = world.close(keep_files=code != 0)
    if left:
        print(f"demo failed: still running after the end: {', '.join(left)}", flush=True)
        code = 1
    if once and code == 0:
        print("demo ok", flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
