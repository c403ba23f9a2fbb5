#!/usr/bin/env python3
"""Names: an application asks kuma-dp's DNS for `web.mesh`, connects to the virtual IP that it hears, and two real Envoys carry it
to the other application. Virtual IPs are taken from 127.64.0.0/16 here, which Envoy can listen on, so nothing needs to be redirected.

Runs with what Python brings along. BIN_DIR and ENVOY point it to other programs than those in build."""
import http.server
import os
import pathlib
import random
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("BIN_DIR", ROOT / "build/bin"))
ENVOY = pathlib.Path(os.environ.get("ENVOY", ROOT / "build/envoy/bin/envoy"))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def eventually(condition, seconds=30, what="condition"):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        seen = condition()
        if seen:
            return seen
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} s: {what}")


def ask(port, name, tcp=False):
    """The answer's code and its addresses; nothing for no answer."""
    query_id = random.randrange(65536)
    query = struct.pack(">6H", query_id, 0x0100, 1, 0, 0, 0)
    query += b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0\0\1\0\1"
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM) as client:
            client.settimeout(5)
            client.connect(("127.0.0.1", port))
            client.sendall(struct.pack(">H", len(query)) + query if tcp else query)
            answer = client.recv(4096)[2:] if tcp else client.recv(4096)
    except OSError:
        return None
    got_id, flags, _, count = struct.unpack(">4H", answer[:8])
    if got_id != query_id:
        return None
    at, addresses = len(query), []
    for _ in range(count):
        while answer[at] != 0 and answer[at] < 0xc0:
            at += 1 + answer[at]
        at += 1 if answer[at] == 0 else 2
        kind, _, _, size = struct.unpack(">HHIH", answer[at:at + 10])
        if kind == 1:
            addresses.append(socket.inet_ntoa(answer[at + 10:at + 10 + size]))
        at += 10 + size
    return flags & 0xf, addresses


class Names(unittest.TestCase):
    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="names-"))
        self.running = []
        self.api, self.dp = free_port(), free_port()
        self.application = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self.handler())
        threading.Thread(target=self.application.serve_forever, daemon=True).start()

    def tearDown(self):
        for process in reversed(self.running):
            process.send_signal(signal.SIGKILL)
            process.wait()
        self.application.shutdown()
        self.application.server_close()
        shutil.rmtree(self.dir)

    @staticmethod
    def handler():
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                body = f"hello {self.headers['host']}".encode()
                self.send_response(200)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass
        return Handler

    def start(self, program, *arguments, env):
        with open(self.dir / f"{program}-{len(self.running)}.log", "wb") as log:
            self.running.append(subprocess.Popen([BIN / program, *arguments], env={**os.environ, **env}, stdout=log, stderr=log))

    def put(self, path, body):
        request = urllib.request.Request(f"http://127.0.0.1:{self.api}{path}", body.encode(), {"content-type": "application/json"}, method="PUT")
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status

    def get(self, path):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.api}{path}", timeout=5) as answer:
                return answer.read().decode()
        except (OSError, urllib.error.HTTPError):
            return ""

    def start_control_plane(self):
        self.start("kuma-cp", "run", env={
            "KUMA_GENERAL_WORK_DIR": str(self.dir / "cp"),
            "KUMA_STORE_TYPE": "sqlite",
            "KUMA_STORE_SQLITE_PATH": str(self.dir / "kuma.db"),
            "KUMA_API_SERVER_HTTP_PORT": str(self.api),
            "KUMA_API_SERVER_HTTPS_PORT": str(free_port()),
            "KUMA_DP_SERVER_PORT": str(self.dp),
            "KUMA_DP_SERVER_AUTHN_DP_PROXY_TYPE": "none",
            "KUMA_DIAGNOSTICS_SERVER_PORT": str(free_port()),
            "KUMA_MONITORING_ASSIGNMENT_SERVER_PORT": str(free_port()),
            "KUMA_INTER_CP_SERVER_PORT": str(free_port()),
            "KUMA_DNS_SERVER_CIDR": "127.64.0.0/16",
            "KUMA_DNS_SERVER_SERVICE_VIP_PORT": str(self.vip_port),
        })
        eventually(lambda: '"default"' in self.get("/meshes"), what="the default mesh")

    def start_proxy(self, name, address, service_port, redirection="", dns=None):
        (self.dir / f"{name}.yaml").write_text(f"""
type: Dataplane
mesh: default
name: {name}
networking:
  address: {address}
  admin: {{port: {free_port()}}}
  inbound: [{{port: 18080, servicePort: {service_port}, serviceAddress: 127.0.0.1, tags: {{kuma.io/service: {name}, kuma.io/protocol: http}}}}]
  {redirection}
""")
        ports = dns or [free_port() for _ in range(3)]
        self.start("kuma-dp", "run", f"--cp-address=https://127.0.0.1:{self.dp}", f"--ca-cert-file={self.dir / 'cp/kuma-cp.crt'}",
                   f"--dataplane-file={self.dir / (name + '.yaml')}", f"--binary-path={ENVOY}", "--concurrency=1",
                   f"--dns-coredns-port={ports[0]}", f"--dns-envoy-port={ports[1]}", f"--dns-coredns-empty-port={ports[2]}",
                   env={"KUMA_READINESS_PORT": "0", "TMPDIR": str(self.dir)})
        return ports[0]

    def test_a_name_leads_to_its_service_and_keeps_its_address(self):
        self.vip_port = free_port()
        self.start_control_plane()
        self.start_proxy("web", "127.0.0.2", self.application.server_port)
        # Without a port for inbound redirection the listeners of names bind their addresses.
        dns = self.start_proxy("client", "127.0.0.3", free_port(), f"transparentProxying: {{redirectPortOutbound: {free_port()}}}")
        code, addresses = eventually(lambda: (a := ask(dns, "web.mesh")) and a[1] and a, what="an address for web.mesh")
        self.assertEqual(code, 0)
        self.assertRegex(addresses[0], r"^127\.64\.")
        self.assertEqual(ask(dns, "web.mesh", tcp=True), (0, addresses))

        def curl():
            done = subprocess.run(["curl", "-s", "-m", "2", "--resolve", f"web.mesh:{self.vip_port}:{addresses[0]}",
                                   f"http://web.mesh:{self.vip_port}/"], capture_output=True, check=False)
            return done.stdout.decode()
        self.assertEqual(eventually(lambda: curl() if "hello" in curl() else "", what="an answer of the application"), f"hello web.mesh:{self.vip_port}")

        # Another service comes, and the control plane is killed and started again: the name keeps its address.
        self.put("/meshes/default/dataplanes/api", '{"type": "Dataplane", "mesh": "default", "name": "api", "networking": {"address": '
                 '"127.0.0.4", "inbound": [{"port": 80, "tags": {"kuma.io/service": "api"}}]}}')
        api = eventually(lambda: (a := ask(dns, "api.mesh")) and a[1] and a, 5, "an address for api.mesh")[1]
        control_plane = self.running.pop(0)
        control_plane.kill()
        control_plane.wait()
        self.assertEqual(ask(dns, "web.mesh"), (0, addresses), "names outlive the control plane")
        self.start_control_plane()
        self.put("/meshes/default/dataplanes/late", '{"type": "Dataplane", "mesh": "default", "name": "late", "networking": {"address": '
                 '"127.0.0.5", "inbound": [{"port": 80, "tags": {"kuma.io/service": "late"}}]}}')
        late = eventually(lambda: (a := ask(dns, "late.mesh")) and a[1] and a, 30, "an address for late.mesh")[1]
        self.assertEqual((ask(dns, "web.mesh")[1], ask(dns, "api.mesh")[1]), (addresses, api))
        self.assertEqual(len({*addresses, *api, *late}), 3)


if __name__ == "__main__":
    unittest.main()
