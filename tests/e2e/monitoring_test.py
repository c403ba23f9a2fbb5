#!/usr/bin/env python3
"""Whom Prometheus scrapes: the control plane's assignments over HTTP and over gRPC's path, and the real Prometheus that finds
a target by `kuma_sd_configs`, loses it with its dataplane, and carries its tags as labels.

PROMETHEUS points to another program than the one that tools/prometheus.sh builds; without any, that part is left out and says so. BIN_DIR points to
other programs than those in build."""
import http.server
import json
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
KUMA_CP = pathlib.Path(os.environ.get("BIN_DIR", ROOT / "build/bin")) / "kuma-cp"
PROMETHEUS = os.environ.get("PROMETHEUS") or shutil.which("prometheus", path=str(ROOT / "build/prometheus")) or shutil.which("prometheus")


def free_ports(count):
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def eventually(condition, seconds=20, what="condition"):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            seen = condition()
        except (OSError, urllib.error.URLError):
            seen = None
        if seen:
            return seen
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} s: {what}")


def call(url, method="GET", body=None):
    request = urllib.request.Request(url, method=method, data=None if body is None else json.dumps(body).encode(),
                                     headers={"content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=40) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


class Metrics(http.server.BaseHTTPRequestHandler):
    """What a proxy's metrics listener answers."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("content-type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(b"# TYPE orders counter\norders 7\n")

    def log_message(self, *_):
        pass


class MonitoringTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.processes = []
        self.api, tls, self.dp, self.mads, diagnostics, intercp, self.web = free_ports(7)
        self.metrics = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Metrics)
        threading.Thread(target=self.metrics.serve_forever, daemon=True).start()
        self.start([KUMA_CP, "run"], "cp.log", {
            "KUMA_STORE_TYPE": "memory", "KUMA_API_SERVER_HTTP_PORT": str(self.api), "KUMA_API_SERVER_HTTPS_PORT": str(tls),
            "KUMA_DP_SERVER_PORT": str(self.dp), "KUMA_MONITORING_ASSIGNMENT_SERVER_PORT": str(self.mads),
            "KUMA_DIAGNOSTICS_SERVER_PORT": str(diagnostics), "KUMA_GENERAL_WORK_DIR": self.folder.name,
            "KUMA_INTER_CP_SERVER_PORT": str(intercp)})
        eventually(lambda: call(f"http://127.0.0.1:{self.api}/meshes/default")[0] == 200, what="the control plane's default mesh")
        self.put("/meshes/default", {"type": "Mesh", "name": "default", "metrics": {
            "enabledBackend": "p", "backends": [{"name": "p", "type": "prometheus", "conf": {
                "port": self.metrics.server_port, "skipMTLS": True}}]}})

    def tearDown(self):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait(timeout=20)
        self.metrics.shutdown()
        self.metrics.server_close()
        self.folder.cleanup()

    def start(self, command, log, environment):
        with open(os.path.join(self.folder.name, log), "wb") as out:
            self.processes.append(subprocess.Popen([str(word) for word in command], stdout=out, stderr=out,
                                                   env=dict(os.environ, **environment)))

    def put(self, path, body):
        status, answer = call(f"http://127.0.0.1:{self.api}{path}", "PUT", body)
        self.assertIn(status, (200, 201), answer)

    def dataplane(self, name):
        self.put(f"/meshes/default/dataplanes/{name}", {
            "type": "Dataplane", "mesh": "default", "name": name, "networking": {
                "address": "127.0.0.1", "inbound": [{"port": 80, "tags": {"kuma.io/service": "shop", "version": "v1"}}]}})

    def fetch(self, version="", query=""):
        status, body = call(f"http://127.0.0.1:{self.mads}/v3/discovery:monitoringassignments{query}", "POST",
                            {"version_info": version, "node": {"id": "test"}})
        return status, json.loads(body) if status == 200 else body

    def test_a_long_poll_ends_with_the_change(self):
        status, first = self.fetch()
        self.assertEqual((status, first["resources"]), (200, []))
        self.assertEqual(self.fetch(first["version_info"], "?fetch-timeout=1s"), (304, ""))
        answers = []
        waiting = threading.Thread(target=lambda: answers.append(self.fetch(first["version_info"])))
        waiting.start()
        self.dataplane("shop-1")
        waiting.join(10)
        self.assertEqual(answers[0][1]["resources"][0]["targets"][0], {
            "name": "shop-1", "scheme": "http", "address": f"127.0.0.1:{self.metrics.server_port}", "metrics_path": "/metrics",
            "labels": {"kuma_io_service": "shop", "kuma_io_services": ",shop,", "version": "v1", "versions": ",v1,"}})

    @unittest.skipIf(PROMETHEUS is None, "left out: no Prometheus here (tools/prometheus.sh builds one where there is Go; or set PROMETHEUS)")
    def test_the_real_Prometheus_finds_and_scrapes(self):
        self.dataplane("shop-1")
        config = os.path.join(self.folder.name, "prometheus.yml")
        with open(config, "w", encoding="utf-8") as out:
            json.dump({"global": {"scrape_interval": "1s"}, "scrape_configs": [{
                "job_name": "mesh", "kuma_sd_configs": [{"server": f"http://127.0.0.1:{self.mads}", "refresh_interval": "1s"}],
                "relabel_configs": [
                    {"source_labels": ["__meta_kuma_mesh"], "target_label": "mesh"},
                    {"source_labels": ["__meta_kuma_dataplane"], "target_label": "dataplane"},
                    {"source_labels": ["__meta_kuma_service"], "target_label": "service"},
                    {"action": "labelmap", "regex": "__meta_kuma_label_(.+)"}]}]}, out)
        self.start([PROMETHEUS, f"--config.file={config}", f"--storage.tsdb.path={self.folder.name}/tsdb",
                    f"--web.listen-address=127.0.0.1:{self.web}"], "prometheus.log", {})

        def targets():
            return json.loads(call(f"http://127.0.0.1:{self.web}/api/v1/targets")[1])["data"]["activeTargets"]

        up = eventually(lambda: [one for one in targets() if one["health"] == "up"], 40, "a target that is up")[0]
        self.assertEqual({name: up["labels"][name] for name in ("mesh", "dataplane", "service", "version")},
                         {"mesh": "default", "dataplane": "shop-1", "service": "shop", "version": "v1"})
        found = eventually(lambda: json.loads(call(f"http://127.0.0.1:{self.web}/api/v1/query?query=orders")[1])["data"]["result"], 20,
                           "the metric that was scraped")
        self.assertEqual(found[0]["value"][1], "7")
        call(f"http://127.0.0.1:{self.api}/meshes/default/dataplanes/shop-1", "DELETE")
        eventually(lambda: not targets(), 20, "no target once its dataplane is gone")


if __name__ == "__main__":
    unittest.main()
