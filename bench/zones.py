#!/usr/bin/env python3
"""Starts a global control plane for the twenty zones of kds_bench and says what it needed: zones.py KUMA_CP KDS_BENCH"""
import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Arrivals(threading.Thread):
    """Asks the global how many dataplanes it has until it is stopped: when the first and the last came."""

    def __init__(self, url):
        super().__init__(daemon=True)
        self.url, self.first, self.last, self.total, self.stopped = url, None, None, 0, threading.Event()

    def run(self):
        while not self.stopped.wait(0.01):
            try:
                with urllib.request.urlopen(self.url, timeout=30) as page:
                    total = json.load(page)["total"]
            except OSError:
                continue
            if total > self.total:
                self.last = time.monotonic()
                self.first = self.first or self.last
                self.total = total


def main(kuma_cp, bench):
    ports = {name: free_port() for name in ("API_SERVER_HTTP", "API_SERVER_HTTPS", "DIAGNOSTICS_SERVER", "INTER_CP_SERVER")}
    kds = free_port()
    with tempfile.TemporaryDirectory() as directory:
        env = {k: v for k, v in os.environ.items() if not k.startswith("KUMA_")}
        env.update({f"KUMA_{name}_PORT": str(port) for name, port in ports.items()})
        env.update({"KUMA_MODE": "global", "KUMA_ENVIRONMENT": "universal", "KUMA_STORE_TYPE": "memory", "KUMA_GENERAL_WORK_DIR": directory,
                    "KUMA_MULTIZONE_GLOBAL_KDS_GRPC_PORT": str(kds), "KUMA_REPORTS_ENABLED": "false"})
        with open(pathlib.Path(directory, "log"), "wb") as log:
            control_plane = subprocess.Popen([kuma_cp, "run"], env=env, stdout=log, stderr=log)
        try:
            end = time.monotonic() + 60
            while True:
                try:
                    socket.create_connection(("127.0.0.1", kds), 1).close()
                    break
                except OSError:
                    if control_plane.poll() is not None or time.monotonic() > end:
                        sys.exit("the global did not start: " + pathlib.Path(directory, "log").read_text()[-1000:])
                    time.sleep(0.05)
            arrivals = Arrivals(f"http://127.0.0.1:{ports['API_SERVER_HTTP']}/meshes/default/dataplanes?size=1")
            arrivals.start()
            subprocess.run([bench, "--benchmark_filter=TwentyZones"], env={**env, "KUMA_BENCH_KDS_PORT": str(kds)}, check=True, timeout=400)
            arrivals.stopped.set()
            arrivals.join()
            status = pathlib.Path(f"/proc/{control_plane.pid}/status").read_text()
            peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
            fields = pathlib.Path(f"/proc/{control_plane.pid}/stat").read_text().rsplit(")", 1)[1].split()
            print(f"the global: {arrivals.total} dataplanes, the last {arrivals.last - arrivals.first:.2f} s after the first, at most {peak // 1024} MiB, {(int(fields[11]) + int(fields[12])) / 100:.1f} s of CPU")
        finally:
            control_plane.kill()
            control_plane.wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
