#!/usr/bin/env python3
"""A builtin gateway with a real Envoy: HTTPS with a certificate from a secret, bytes through a TCP listener, a host that is left out
because its certificate is missing.

Runs with what Python brings along. BIN_DIR and ENVOY point it to other programs than those in build."""
import base64
import json
import socket
import ssl
import subprocess
import unittest

import mesh_rig as rig


def https(port, name, trusted, path="/"):
    """One request to the host `name` at a port of 127.0.0.1; nothing when it is not answered, or not with a certificate that
    `trusted` vouches for."""
    context = ssl.create_default_context(cadata=trusted)
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as plain, context.wrap_socket(plain, server_hostname=name) as link:
            link.sendall(f"GET {path} HTTP/1.1\r\nhost: {name}\r\nconnection: close\r\n\r\n".encode())
            answer = b"".join(iter(lambda: link.recv(4096), b"")).decode()
    except OSError:
        return None
    head, _, body = answer.partition("\r\n\r\n")
    return rig.Answer(int(head.split(" ")[1]), dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:]), body)


@unittest.skipUnless(rig.is_complete() and (rig.BIN / "kumactl").exists(), "needs kuma-cp, kuma-dp, kumactl and an Envoy")
class Gateway(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.mesh = mesh = rig.Mesh()
        cls.addClassCleanup(mesh.close)
        mesh.put("/meshes/default", {"type": "Mesh", "name": "default", "mtls": {
            "enabledBackend": "ca", "backends": [{"name": "ca", "type": "builtin"}]}})
        cls.https_port, cls.tcp_port = rig.free_port(), rig.free_port()
        cls.certificate = cls.new_certificate()
        cls.put_listeners("shop")
        cls.route("web", "http", {"http": {"rules": [{
            "matches": [{"path": {"match": "PREFIX", "value": "/shop"}}], "filters": [{"rewrite": {"replacePrefixMatch": "/"}}],
            "backends": [{"weight": 1, "destination": {"kuma.io/service": "web"}}]}]}})
        cls.route("raw", "tcp", {"tcp": {"rules": [{"backends": [{"weight": 1, "destination": {"kuma.io/service": "raw"}}]}]}})
        cls.web = mesh.proxy("web-1", "web")
        cls.raw = mesh.proxy("raw-1", "raw", protocol="tcp")
        cls.edge = mesh.gateway("edge-1", "edge")

    @classmethod
    def new_certificate(cls):
        """A server's certificate that nobody signed, put into the secret `shop`."""
        files = [cls.mesh.dir / name for name in ("server.crt", "server.key")]
        subprocess.run([rig.BIN / "kumactl", "generate", "tls-certificate", "--type=server", "--hostname=shop.test",
                        f"--cert-file={files[0]}", f"--key-file={files[1]}"], check=True, capture_output=True)
        certificate, key = (file.read_text() for file in files)
        cls.mesh.put("secrets/shop", {"type": "Secret", "mesh": "default", "name": "shop",
                                      "data": base64.b64encode((key + certificate).encode()).decode()})
        return certificate

    @classmethod
    def put_listeners(cls, secret):
        tls = {"mode": "TERMINATE", "certificates": [{"secret": secret}]}
        cls.mesh.put("meshgateways/edge", {
            "type": "MeshGateway", "mesh": "default", "name": "edge", "selectors": [{"match": {"kuma.io/service": "edge"}}],
            "conf": {"listeners": [
                {"port": cls.https_port, "protocol": "HTTPS", "hostname": "shop.test", "tls": tls, "tags": {"port": "http"}},
                {"port": cls.tcp_port, "protocol": "TCP", "tags": {"port": "tcp"}}]}})

    @classmethod
    def route(cls, name, port, conf):
        cls.mesh.put(f"meshgatewayroutes/{name}", {
            "type": "MeshGatewayRoute", "mesh": "default", "name": name, "conf": conf,
            "selectors": [{"match": {"kuma.io/service": "edge", "port": port}}]})

    def serves(self, certificate):
        answer = https(self.https_port, "shop.test", certificate, "/shop/tea")
        return answer is not None and answer.status == 200 and answer

    def test_https_with_a_certificate_from_a_secret_leads_to_a_service(self):
        answer = rig.eventually(lambda: self.serves(self.certificate), "the gateway answers over HTTPS")
        self.assertEqual(answer.body, "web-1")
        self.assertIn("max-age", answer.headers["strict-transport-security"])
        self.assertEqual(self.web.service.requests[-1][0], "/tea", "the prefix of the gateway's route is gone")
        self.assertEqual(https(self.https_port, "shop.test", self.certificate, "/elsewhere").status, 404)
        self.assertIsNone(https(self.https_port, "other.test", self.certificate), "no listener is for this name")

    def test_a_request_passes_through_a_TCP_listener(self):
        answer = rig.eventually(lambda: (a := rig.send(self.tcp_port)).status == 200 and a, "the gateway passes bytes on")
        self.assertEqual(answer.body, "raw-1")

    def test_a_new_certificate_is_served_and_a_missing_one_leaves_out_its_host_alone(self):
        rig.eventually(lambda: self.serves(self.certificate), "the gateway answers over HTTPS")
        old, type(self).certificate = self.certificate, self.new_certificate()
        rig.eventually(lambda: self.serves(self.certificate), "the new certificate is served")
        self.assertIsNone(https(self.https_port, "shop.test", old))

        self.put_listeners("lost")
        rig.eventually(lambda: not self.serves(self.certificate), "the host without a certificate is left out")
        self.assertEqual(rig.send(self.tcp_port).body, "raw-1")
        for path in ("dataplanes/edge-1/_problems", "meshgateways/edge/_problems"):
            status, body = self.mesh.call("GET", f"/meshes/default/{path}")
            self.assertEqual(status, 200, path)
            self.assertIn('the certificate of secret "lost": there is no such secret in the mesh',
                          json.loads(body)["items"][0]["message"], path)
        self.put_listeners("shop")
        rig.eventually(lambda: self.serves(self.certificate), "the host is back")


if __name__ == "__main__":
    unittest.main()
