#!/usr/bin/env python3
"""What is said of requests: log lines in a file, over TCP and at an OpenTelemetry collector, and spans at one. One control plane,
kuma-dp with real Envoys, small HTTP services."""
import json
import socket
import threading
import unittest

from mesh_rig import Mesh, eventually, is_complete
from otlp_listener import Listener


class Lines:
    """A TCP server that keeps what it is sent."""

    def __init__(self):
        self.received = b""
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        try:
            connection, _ = self.socket.accept()
            with connection:
                while data := connection.recv(4096):
                    self.received += data
        except OSError:
            pass

    def close(self):
        self.socket.close()


@unittest.skipUnless(is_complete(), "left out: build/bin or the Envoy of build/envoy is missing")
class Observability(unittest.TestCase):
    """client -> backend."""

    @classmethod
    def setUpClass(cls):
        cls.mesh = Mesh({"KUMA_DP_SERVER_HDS_INTERVAL": "1s"})
        cls.addClassCleanup(cls.mesh.close)
        cls.backend = cls.mesh.proxy("backend-1", "backend")
        cls.client = cls.mesh.proxy("client-1", "client", outbounds=["backend"])
        cls.mesh.reaches(cls.client, "backend")

    def policy(self, plural, kind, spec):
        self.mesh.policy(plural, kind, "tested", spec)
        self.addCleanup(self.mesh.delete, f"{plural}/tested")

    def log(self, backend):
        self.policy("meshaccesslogs", "MeshAccessLog", {"targetRef": {"kind": "MeshService", "name": "client"}, "to": [
            {"targetRef": {"kind": "MeshService", "name": "backend"}, "default": {"backends": [backend]}}]})

    def until(self, path, seen, what):
        """Sends requests to `path` until what they leave behind is seen: the policy is on its way when they begin."""
        def sent_and_seen():
            self.client.send("backend", path)
            return seen()
        return eventually(sent_and_seen, what)

    def test_a_line_in_a_file(self):
        path = self.mesh.dir / "requests.log"
        self.log({"type": "File", "file": {"path": str(path), "format": {
            "type": "Plain", "plain": "%KUMA_SOURCE_SERVICE%>%KUMA_DESTINATION_SERVICE% %REQ(:PATH)% %RESPONSE_CODE%"}}})
        self.until("/to-a-file", lambda: path.exists() and "client>backend /to-a-file 200\n" in path.read_text(), "the line")

    def test_a_line_over_TCP_by_kuma_dp(self):
        lines = Lines()
        self.addCleanup(lines.close)
        self.log({"type": "Tcp", "tcp": {"address": f"127.0.0.1:{lines.port}", "format": {"type": "Json", "json": [
            {"key": "path", "value": "%REQ(:PATH)%"}, {"key": "mesh", "value": "%KUMA_MESH%"}]}}})
        self.until("/over-tcp", lambda: b'"path":"/over-tcp"' in lines.received and b'"mesh":"default"' in lines.received, "the line")

    def test_a_log_record_at_a_collector(self):
        collector = Listener()
        self.addCleanup(collector.close)
        self.log({"type": "OpenTelemetry", "openTelemetry": {
            "endpoint": f"127.0.0.1:{collector.port}", "attributes": [{"key": "team", "value": "blue-team"}],
            "body": {"kvlistValue": {"values": [{"key": "to", "value": {"stringValue": "%KUMA_DESTINATION_SERVICE% %REQ(:PATH)%"}}]}}}})
        self.until("/to-a-collector", lambda: b"backend /to-a-collector" in collector.received and b"blue-team" in collector.received,
                   "the record")

    def test_spans_at_a_collector(self):
        collector = Listener()
        self.addCleanup(collector.close)
        self.policy("meshtraces", "MeshTrace", {"targetRef": {"kind": "Mesh"}, "default": {
            "backends": [{"type": "OpenTelemetry", "openTelemetry": {"endpoint": f"127.0.0.1:{collector.port}"}}],
            "sampling": {"overall": 100, "client": 100, "random": 100}, "tags": [{"name": "team", "literal": "green-team"}]}})
        self.until("/traced", lambda: all(word in collector.received for word in (b"client", b"backend", b"/traced", b"green-team")),
                   "spans of both proxies")

    def test_an_application_that_is_gone_is_not_ready(self):
        proxy = self.mesh.proxy("probed-1", "probed")
        dataplane = json.loads(self.mesh.call("GET", "/meshes/default/dataplanes/probed-1")[1])
        dataplane["networking"]["inbound"][0].update(serviceProbe={"interval": "0.2s", "timeout": "1s", "tcp": {}}, state="NotReady")
        self.mesh.put("dataplanes/probed-1", dataplane)

        def state():
            inbound = json.loads(self.mesh.call("GET", "/meshes/default/dataplanes/probed-1")[1])["networking"]["inbound"][0]
            return inbound.get("state", "Ready"), inbound.get("health", {}).get("ready", False)

        eventually(lambda: state() == ("Ready", True), "the application is found to be there")
        proxy.service.close()
        eventually(lambda: state() == ("NotReady", False), "the application is found to be gone")


if __name__ == "__main__":
    unittest.main()
