#!/usr/bin/env python3
"""kuma-dp with a real Envoy and a control plane that is played: what is said and done when things go wrong, and the end.

Runs with what Python brings along. BIN_DIR and ENVOY point it to other programs than those in build."""
import base64
import http.server
import json
import os
import pathlib
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
KUMA_DP = pathlib.Path(os.environ.get("BIN_DIR", ROOT / "build/bin")) / "kuma-dp"
ENVOY = pathlib.Path(os.environ.get("ENVOY", ROOT / "build/envoy/bin/envoy"))

DATAPLANE = """type: Dataplane
mesh: default
name: {{ name }}
networking:
  address: 127.0.0.1
  inbound:
  - port: 18080
    tags:
      kuma.io/service: web
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def token():
    def part(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")
    return f"{part({'alg': 'RS256', 'kid': '1'})}.{part({'Name': 'web-1'})}.c2ln"


def eventually(condition, seconds=20, what="condition"):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        seen = condition()
        if seen:
            return seen
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} s: {what}")


def get(url):
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return 0, ""


def exists(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


class Bootstrap:
    """Answers POST /bootstrap as it is told."""

    def __init__(self, status=200, body=b""):
        self.requests = []
        self.status, self.body = status, body
        played = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                content = self.rfile.read(int(self.headers["content-length"]))
                played.requests.append((self.path, dict(self.headers), json.loads(content)))
                self.send_response(played.status)
                self.send_header("content-length", str(len(played.body)))
                self.end_headers()
                self.wfile.write(played.body)

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Ads:
    """As much HTTP/2 as it takes to refuse Envoy's streams with a gRPC status, or to hold them open."""

    def __init__(self, port, refuse=None):
        self.refuse = refuse  # (code, message)
        self.streams = 0
        self.connections = []
        self.listener = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections.append(connection)
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    @staticmethod
    def frame(kind, flags, stream, payload=b""):
        return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload

    @staticmethod
    def header(name, value):
        # A literal header field that is not indexed; lengths below 127.
        return b"\0" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()

    def serve(self, connection):
        reader = connection.makefile("rb")
        try:
            reader.read(24)
            connection.sendall(self.frame(4, 0, 0))
            while head := reader.read(9):
                size, kind, flags = int.from_bytes(head[:3], "big"), head[3], head[4]
                stream = int.from_bytes(head[5:], "big")
                payload = reader.read(size)
                if kind == 4 and not flags & 1:
                    connection.sendall(self.frame(4, 1, 0))
                elif kind == 6 and not flags & 1:
                    connection.sendall(self.frame(6, 1, 0, payload))
                elif kind == 1:
                    self.streams += 1
                    answer = b"\x88" + self.header("content-type", "application/grpc")
                    if self.refuse:
                        answer += self.header("grpc-status", str(self.refuse[0])) + self.header("grpc-message", self.refuse[1])
                    connection.sendall(self.frame(1, 5 if self.refuse else 4, stream, answer))
        except OSError:
            pass

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for connection in self.connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            connection.close()


def bootstrap_answer(admin_port, ads_port=None):
    config = {
        "node": {"id": "default.web-1", "cluster": "web"},
        "admin": {"address": {"socketAddress": {"address": "127.0.0.1", "portValue": admin_port}}},
    }
    if ads_port:
        service = {"envoyGrpc": {"clusterName": "ads_cluster"}}
        source = {"ads": {}, "initialFetchTimeout": "0s", "resourceApiVersion": "V3"}
        config["dynamicResources"] = {
            "ldsConfig": source, "cdsConfig": source,
            "adsConfig": {"apiType": "GRPC", "transportApiVersion": "V3", "grpcServices": [service]}}
        options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
        address = {"socketAddress": {"address": "127.0.0.1", "portValue": ads_port}}
        config["staticResources"] = {"clusters": [{
            "name": "ads_cluster", "type": "STATIC", "connectTimeout": "1s",
            "loadAssignment": {"clusterName": "ads_cluster",
                               "endpoints": [{"lbEndpoints": [{"endpoint": {"address": address}}]}]},
            "typedExtensionProtocolOptions": {options: {
                "@type": f"type.googleapis.com/{options}", "explicitHttpConfig": {"http2ProtocolOptions": {}}}}}]}
    return json.dumps({
        "bootstrap": base64.b64encode(json.dumps(config).encode()).decode(),
        "kumaSidecarConfiguration": {"networking": {"isUsingTransparentProxy": False}, "metrics": {"aggregate": []}},
    }).encode()


@unittest.skipUnless(KUMA_DP.exists(), f"{KUMA_DP} is missing")
class KumaDp(unittest.TestCase):
    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="kuma-dp-test-"))
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        (self.dir / "tmp").mkdir()
        (self.dir / "web.yaml").write_text(DATAPLANE)
        (self.dir / "token").write_text(token() + "\n")
        self.readiness = free_port()
        self.admin = free_port()

    def control_plane(self, *arguments, **named):
        played = Bootstrap(*arguments, **named)
        self.addCleanup(played.close)
        return played

    def start(self, cp_address, *arguments, env=None, envoy=ENVOY):
        self.log = self.dir / "log"
        with open(self.log, "wb") as log:
            process = subprocess.Popen(
                [str(KUMA_DP), "run", f"--cp-address={cp_address}", f"--dataplane-file={self.dir / 'web.yaml'}",
                 "--dataplane-var", "name=web-1", f"--dataplane-token-file={self.dir / 'token'}", f"--binary-path={envoy}",
                 "--concurrency=1", *arguments],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                env={**os.environ, "TMPDIR": str(self.dir / "tmp"), "KUMA_READINESS_PORT": str(self.readiness),
                     "KUMA_CONTROL_PLANE_RETRY_BACKOFF": "100ms", "KUMA_CONTROL_PLANE_RETRY_MAX_DURATION": "1s", **(env or {})})

        def end():
            if process.poll() is None:
                process.kill()
            process.wait()
        self.addCleanup(end)
        return process

    def logged(self):
        return self.log.read_text(errors="replace")

    def expect_log(self, text, seconds=20):
        try:
            eventually(lambda: text in self.logged(), seconds, text)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.logged()[-3000:]}") from None

    def expect_end(self, process, status, seconds=20):
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.fail(f"still running after {seconds} s:\n{self.logged()[-3000:]}")
        self.assertEqual(code, status, self.logged()[-3000:])
        self.assertEqual(list((self.dir / "tmp").iterdir()), [], "the temporary directory stayed")

    def last_line(self):
        return self.logged().splitlines()[-1]


class WithoutEnvoy(KumaDp):
    def test_no_envoy_is_one_clear_line(self):
        process = self.start("http://127.0.0.1:1", envoy=self.dir / "none")
        self.expect_end(process, 1)
        self.assertRegex(self.last_line(), "^Error: failed to get Envoy version: could not find executable binary in any of the "
                                           "following paths: ")

    def fake_envoy(self, body="exec sleep 1000"):
        path = self.dir / "envoy"
        path.write_text("#!/bin/sh\nif [ \"$1\" = --version ]; then echo 'envoy  version: sha/1.40.0/Clean/RELEASE/BoringSSL'; "
                        f"exit; fi\n{body}\n")
        path.chmod(0o755)
        return path

    def test_unreachable_control_plane_is_said_at_once_and_tried_again(self):
        begun = time.monotonic()
        process = self.start(f"http://127.0.0.1:{free_port()}", envoy=self.fake_envoy())
        self.expect_log("make sure you are not trying to connect to global-cp", 1)
        self.expect_end(process, 1)
        self.assertGreater(time.monotonic() - begun, 1)
        self.assertRegex(self.last_line(), "^Error: Failed to generate Envoy bootstrap config. request to bootstrap server failed: ")

    def test_unknown_dataplane_is_said_with_what_to_do(self):
        played = self.control_plane(404)
        process = self.start(played.url, envoy=self.fake_envoy())
        self.expect_log("Dataplane entity is not yet found in the Control Plane.", 1)
        self.expect_end(process, 1)
        self.assertRegex(self.last_line(), "^Error: Failed to generate Envoy bootstrap config. Dataplane entity not found. ")
        self.assertGreater(len(played.requests), 3)

    def test_dataplane_that_is_made_meanwhile_is_found(self):
        played = self.control_plane(404)
        process = self.start(played.url, envoy=self.fake_envoy("exit 0"), env={"KUMA_CONTROL_PLANE_RETRY_MAX_DURATION": "20s"})
        self.expect_log("Dataplane entity is not yet found")
        played.body = bootstrap_answer(self.admin)
        played.status = 200
        self.expect_end(process, 0)

    def test_refused_request_ends_at_once(self):
        played = self.control_plane(422, b'mesh: mesh "nomesh" does not exist')
        process = self.start(played.url, envoy=self.fake_envoy(), env={"KUMA_CONTROL_PLANE_RETRY_MAX_DURATION": "60s"})
        self.expect_end(process, 1, 5)
        self.assertEqual(self.last_line(), 'Error: Failed to generate Envoy bootstrap config. Invalid request: mesh: mesh "nomesh" '
                                           "does not exist")
        self.assertEqual(len(played.requests), 1)

    def test_signal_ends_the_wait_for_the_control_plane(self):
        process = self.start(f"http://127.0.0.1:{free_port()}", envoy=self.fake_envoy(),
                             env={"KUMA_CONTROL_PLANE_RETRY_MAX_DURATION": "60s"})
        self.expect_log("retrying")
        process.terminate()
        self.expect_end(process, 1, 5)
        self.assertIn("context canceled", self.last_line())

    def test_request_says_all_that_the_control_plane_has_to_know(self):
        played = self.control_plane(422, b"enough")
        self.expect_end(self.start(played.url, envoy=self.fake_envoy()), 1)
        path, headers, body = played.requests[0]
        self.assertEqual(path, "/bootstrap")
        headers = {name.lower(): value for name, value in headers.items()}
        self.assertEqual((headers["content-type"], headers["accept"]), ("application/json",) * 2)
        self.assertEqual((body["mesh"], body["name"], body["proxyType"]), ("default", "web-1", "dataplane"))
        self.assertEqual(body["dataplaneToken"], token())
        self.assertEqual(json.loads(body["dataplaneResource"])["networking"]["inbound"][0]["port"], 18080)
        self.assertEqual(body["version"]["envoy"]["version"], "1.40.0")
        self.assertEqual(body["readinessPort"], self.readiness)
        self.assertTrue(body["accessLogSocketPath"].endswith("/kuma-al-web-1-default.sock"))

    def test_envoy_that_fails_is_our_failure(self):
        played = self.control_plane(body=bootstrap_answer(self.admin))
        process = self.start(played.url, envoy=self.fake_envoy("echo 'last words' >&2; exit 3"))
        self.expect_end(process, 1)
        self.assertIn("last words", self.logged())
        self.assertEqual(self.last_line(), "Error: exit status 3")

    def test_envoy_that_ignores_SIGTERM_is_killed(self):
        played = self.control_plane(body=bootstrap_answer(self.admin))
        process = self.start(played.url, envoy=self.fake_envoy("trap '' TERM; echo up >&2; while :; do sleep 0.1; done"))
        self.expect_log("up")
        begun = time.monotonic()
        process.terminate()  # no admin API: nothing to wait for
        self.expect_log("could not drain connections")
        self.expect_end(process, 0)
        self.assertGreater(time.monotonic() - begun, 4.9)
        self.assertIn("killing it", self.logged())

    def test_third_signal_ends_it_at_once(self):
        played = self.control_plane(body=bootstrap_answer(self.admin))
        process = self.start(played.url, envoy=self.fake_envoy("trap '' TERM; echo up >&2; while :; do sleep 0.1; done"))
        self.expect_log("up")
        for _ in range(3):
            process.terminate()
            time.sleep(0.2)
        self.expect_end(process, 1, 2)
        self.assertIn("force exit", self.logged())

    def test_readiness_port_in_use_is_an_error(self):
        with socket.create_server(("127.0.0.1", self.readiness)):
            played = self.control_plane(body=bootstrap_answer(self.admin))
            process = self.start(played.url, envoy=self.fake_envoy())
            self.expect_end(process, 1)
        self.assertRegex(self.last_line(), f"^Error: .*{self.readiness}.*in use")

    def test_usage(self):
        done = subprocess.run([str(KUMA_DP), "run", "--nonsense"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertTrue(done.stderr.startswith("Error: unknown flag: --nonsense\n"), done.stderr)
        done = subprocess.run([str(KUMA_DP), "version"], capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stdout), (0, "Kuma: 2.5.11\n"))


@unittest.skipUnless(ENVOY.exists(), f"{ENVOY} is missing")
class WithEnvoy(KumaDp):
    def start_and_wait(self, *arguments, ads_port=None, **named):
        played = self.control_plane(body=bootstrap_answer(self.admin, ads_port))
        process = self.start(played.url, *arguments, **named)
        eventually(lambda: get(f"http://127.0.0.1:{self.admin}/server_info")[0] == 200, what="Envoy's admin API")
        out = subprocess.run(["ps", "-o", "pid=", "--ppid", str(process.pid)], capture_output=True, text=True).stdout.split()
        self.envoy_pid = int(out[0])
        return process

    def test_drains_and_ends_with_everything(self):
        process = self.start_and_wait("--drain-time=2s")
        self.assertEqual(get(f"http://127.0.0.1:{self.readiness}/ready"), (200, "READY"))
        self.assertEqual(get(f"http://127.0.0.1:{self.readiness}/other")[0], 404)
        begun = time.monotonic()
        process.terminate()
        eventually(lambda: get(f"http://127.0.0.1:{self.readiness}/ready") == (503, "TERMINATING"), 1, "TERMINATING")
        eventually(lambda: get(f"http://127.0.0.1:{self.admin}/ready")[0] == 503, 1, "DRAINING")
        self.assertTrue(exists(self.envoy_pid))
        self.expect_end(process, 0)
        self.assertGreater(time.monotonic() - begun, 2)
        self.assertLess(time.monotonic() - begun, 4)
        self.assertFalse(exists(self.envoy_pid))
        self.assertIn('waiting for connections to be drained\t{"waitTime": "2s"}', self.logged())

    def test_second_signal_skips_the_wait(self):
        process = self.start_and_wait()
        process.send_signal(signal.SIGINT)
        self.expect_log("waiting for connections to be drained")
        process.send_signal(signal.SIGINT)
        self.expect_end(process, 0, 5)
        self.assertFalse(exists(self.envoy_pid))

    def test_envoy_dies_with_a_killed_kuma_dp(self):
        process = self.start_and_wait()
        process.kill()
        process.wait()
        eventually(lambda: not exists(self.envoy_pid), 5, "Envoy is gone")

    def test_envoy_killed_from_outside_ends_it(self):
        process = self.start_and_wait()
        os.kill(self.envoy_pid, signal.SIGKILL)
        self.expect_end(process, 1, 5)
        self.assertEqual(self.last_line(), "Error: signal: killed")

    def test_admin_port_in_use_ends_it(self):
        with socket.create_server(("127.0.0.1", self.admin)):
            played = self.control_plane(body=bootstrap_answer(self.admin))
            process = self.start(played.url)
            self.expect_end(process, 1)
        self.assertIn("Address already in use", self.logged())
        self.assertEqual(self.last_line(), "Error: exit status 1")

    def test_refused_token_is_said_once_and_envoy_keeps_trying(self):
        port = free_port()
        ads = Ads(port, refuse=(16, "authentication failed: token is revoked"))
        self.addCleanup(ads.close)
        process = self.start_and_wait(ads_port=port)
        self.expect_log("the control plane refuses the token of this proxy")
        self.assertIn('{"reason": "authentication failed: token is revoked"}', self.logged())
        eventually(lambda: ads.streams >= 4, what="Envoy keeps trying")
        self.assertEqual(self.logged().count("refuses the token"), 1)
        self.assertIsNone(process.poll())
        ads.refuse = None
        self.expect_log("connected to the control plane", 60)

    def test_metrics_of_envoy_are_served_on_the_socket(self):
        self.start_and_wait()
        path, = (self.dir / "tmp").glob("kuma-dp-*/kuma-mh-web-1-default.sock")
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(path))
            connection.sendall(b"GET /?filter=server.uptime HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            answer = b"".join(iter(lambda: connection.recv(65536), b"")).decode()
        self.assertTrue(answer.startswith("HTTP/1.1 200"), answer)
        self.assertIn("text/plain; version=0.0.4; charset=utf-8", answer)
        self.assertIn("# TYPE envoy_server_uptime gauge\nenvoy_server_uptime ", answer)

    def test_access_logs_go_where_they_say(self):
        self.start_and_wait()
        path, = (self.dir / "tmp").glob("kuma-dp-*/kuma-al-web-1-default.sock")
        with socket.create_server(("127.0.0.1", 0)) as receiver:
            with open(path, "w") as pipe:
                pipe.write(json.dumps({"address": f"127.0.0.1:{receiver.getsockname()[1]}", "message": "hello\n"}) + "\n")
            receiver.settimeout(5)
            connection, _ = receiver.accept()
            with connection:
                self.assertEqual(connection.makefile().readline(), "hello\n")

    def test_control_plane_that_goes_and_comes_is_noted_and_nothing_is_restarted(self):
        port = free_port()
        ads = Ads(port)
        process = self.start_and_wait(ads_port=port)
        self.expect_log("connected to the control plane")
        ads.close()
        self.expect_log("lost the connection to the control plane")
        ads = Ads(port)
        self.addCleanup(ads.close)
        self.expect_log("connected to the control plane again", 60)
        self.assertTrue(exists(self.envoy_pid))
        self.assertIsNone(process.poll())


if __name__ == "__main__":
    unittest.main(verbosity=2)
