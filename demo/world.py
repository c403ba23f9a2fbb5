"""What the demo's story is told with: processes, ports, requests, waiting with a bound."""
import ctypes
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent

# Ports that people know; the story that judges itself takes free ones instead.
WELL_KNOWN = {
    "api": 5681, "api_tls": 5682, "dp": 5678, "diagnostics": 5680, "mads": 5676, "intercp": 5683,
    "outbound": 20000,
}


class Failure(Exception):
    """What went wrong, and whose log tells more."""

    def __init__(self, text, log=None):
        super().__init__(text)
        self.log = log


def is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


class Ports:
    """Free ports by name; the same name is the same port."""

    def __init__(self, fixed):
        self.fixed = fixed
        self.ports = {}

    def __getitem__(self, name):
        if name not in self.ports:
            known = WELL_KNOWN.get(name)
            self.ports[name] = known if self.fixed and known and is_free(known) else self.free()
        return self.ports[name]

    def free(self):
        # Below the range that the system gives to outgoing connections, so that none of those takes it meanwhile.
        for _ in range(1000):
            port = 20100 + int.from_bytes(os.urandom(2), "big") % 9000
            if port not in self.ports.values() and is_free(port):
                return port
        raise Failure("no free port found")


def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)


class World:
    def __init__(self, fixed_ports):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="kuma-demo-"))
        self.bin = pathlib.Path(os.environ.get("BIN_DIR", ROOT / "build/bin"))
        self.envoy = pathlib.Path(os.environ.get("ENVOY", ROOT / "build/envoy/bin/envoy"))
        self.ports = Ports(fixed_ports)
        self.running = {}
        self.started_at = time.monotonic()
        for name in ("kuma-cp", "kuma-dp", "kumactl"):
            if not (self.bin / name).exists():
                raise SystemExit(f"demo: {self.bin / name} is missing; `make` builds it")
        if not self.envoy.exists():
            raise SystemExit(f"demo: {self.envoy} is missing; `make setup` fetches it")

    # Telling

    def say(self, text):
        print(f"[{time.monotonic() - self.started_at:6.1f}s] {text}", flush=True)

    def show_log(self, name):
        for log in [self.log_path(name)] if name else []:
            if log.exists():
                lines = log.read_text(errors="replace").splitlines()[-40:]
                print(f"--- the end of {log}", *lines, "---", sep="\n", flush=True)

    def log_path(self, name):
        return self.dir / f"{name}.log"

    # Processes

    def start(self, name, *command, env=None):
        with open(self.log_path(name), "ab") as log:
            process = subprocess.Popen(
                [str(part) for part in command], stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                env={**os.environ, **(env or {})}, preexec_fn=die_with_parent)
        self.running[name] = process
        return process

    def check_running(self):
        for name, process in self.running.items():
            if process.poll() is not None:
                raise Failure(f"{name} ended with status {process.returncode}", log=name)

    def envoy_of(self, name):
        """The process id of the Envoy that this kuma-dp runs."""
        out = subprocess.run(["ps", "-o", "pid=,comm=", "--ppid", str(self.running[name].pid)],
                             capture_output=True, text=True, check=False).stdout
        for line in out.splitlines():
            pid, command = line.split(None, 1)
            if command.startswith("envoy"):
                return int(pid)
        raise Failure(f"{name} runs no Envoy", log=name)

    def kumactl(self, *arguments, check=True):
        done = subprocess.run([str(self.bin / "kumactl"), "--config-file", str(self.dir / "kumactl.config"),
                               *[str(argument) for argument in arguments]], capture_output=True, text=True, timeout=60)
        if check and done.returncode != 0:
            raise Failure(f"kumactl {' '.join(map(str, arguments))}: {done.stderr.strip() or done.stdout.strip()}",
                          log="kuma-cp")
        return done.stdout

    # Requests and waiting

    def request(self, url, timeout=5):
        """Status and body; status 0 when there was no answer."""
        try:
            with urllib.request.urlopen(url, timeout=timeout) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode(errors="replace")
        except (OSError, ValueError) as error:
            return 0, str(error)

    def ask_backend(self, path="/hello"):
        """Status and answer of a request that goes through the frontend's proxy."""
        status, body = self.request(f"http://127.0.0.1:{self.ports['outbound']}{path}")
        if status == 200:
            return status, json.loads(body)
        return status, body

    def wait_until(self, what, condition, seconds, log=None):
        """Asks `condition` until it holds; it returns (holds, what was seen)."""
        begun = time.monotonic()
        told = begun
        while True:
            self.check_running()
            holds, seen = condition()
            now = time.monotonic()
            if holds:
                self.say(f"{what} ({now - begun:.1f}s)")
                return seen
            if now - begun > seconds:
                raise Failure(f"{what}: not within {seconds} s; last seen: {seen}", log=log)
            if now - told > 5:
                told = now
                self.say(f"  waiting: {what} …")
            time.sleep(0.1)

    def wait_for_the_end(self):
        while True:
            self.check_running()
            time.sleep(1)

    # The end

    def close(self, keep_files):
        """Stops everything, proxies first; returns the names of those that would not go."""
        envoys = []
        for name in [name for name in self.running if name.startswith(("frontend", "backend"))]:
            try:
                envoys.append((f"the Envoy of {name}", self.envoy_of(name)))
            except Failure:
                pass
        # Two signals: do not wait for connections to drain.
        for _ in range(2):
            for name, process in self.running.items():
                if name != "kuma-cp" and process.poll() is None:
                    process.terminate()
            time.sleep(0.05)
        left = []
        for name in sorted(self.running, key=lambda name: name == "kuma-cp"):
            process = self.running[name]
            if process.poll() is None:
                process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                left.append(name)
                process.kill()
                process.wait()
        left += [name for name, pid in envoys if os.path.exists(f"/proc/{pid}")]
        if keep_files:
            print(f"logs are in {self.dir}", flush=True)
        else:
            shutil.rmtree(self.dir, ignore_errors=True)
        return left


class Traffic:
    """Requests without a pause, and a count of those that failed."""

    def __init__(self, world):
        self.world = world
        self.sent = 0
        self.failures = []
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.stopping.wait(0.05):
            status, seen = self.world.ask_backend("/traffic")
            self.sent += 1
            if status != 200:
                self.failures.append(f"{status}: {seen}"[:200])

    def stop(self):
        self.stopping.set()
        self.thread.join()
