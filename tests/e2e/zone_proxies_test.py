#!/usr/bin/env python3
"""Two zones in network namespaces of their own, joined by nothing but a wire between their zone proxies: requests go through a
ZoneIngress, through a ZoneEgress, and through an egress out of the mesh. What global would synchronise is written by the test."""
import concurrent.futures
import ctypes
import json
import os
import subprocess
import tempfile
import threading
import unittest

from mesh_rig import BIN, ENVOY, Mesh, Proxy, Service, eventually, free_port, is_complete, send

CLONE_NEWNET = 0x40000000
WIRE = {"east": "10.77.0.1", "west": "10.77.0.2"}


def has_namespaces():
    """Whether this user may make network namespaces and join them."""
    try:
        tried = subprocess.run(["unshare", "-n", "ip", "link", "add", "one", "type", "veth", "peer", "name", "two"], capture_output=True,
                               check=False)
    except OSError:
        return False
    return tried.returncode == 0


class Namespace:
    """A thread that lives in a network namespace of its own. What is called by `run` happens there, and so does everything that
    it starts: sockets, threads, processes. It is gone when the last of them is."""

    def __init__(self, name):
        self.name = name
        self.pool = concurrent.futures.ThreadPoolExecutor(1)
        self.thread = self.run(self._enter)

    @staticmethod
    def _enter():
        if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "unshare")
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        return threading.get_native_id()

    def run(self, work, *arguments, **named):
        return self.pool.submit(work, *arguments, **named).result()

    def ip(self, *words):
        self.run(subprocess.run, ["ip", *words], check=True)

    def close(self):
        self.pool.shutdown()


def join(one, other):
    one.ip("link", "add", "wire", "type", "veth", "peer", "name", "wire", "netns", f"/proc/{os.getpid()}/task/{other.thread}/ns/net")
    for space in (one, other):
        space.ip("address", "add", f"{WIRE[space.name]}/24", "dev", "wire")
        space.ip("link", "set", "wire", "up")


def authority():
    """A certificate and its key, that both zones' meshes are given."""
    with tempfile.TemporaryDirectory() as where:
        cert, key = f"{where}/cert", f"{where}/key"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=both zones", "-addext",
                        "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign", "-keyout", key, "-out",
                        cert], check=True, capture_output=True)
        with open(cert, encoding="ascii") as one, open(key, encoding="ascii") as other:
            return {"cert": {"inlineString": one.read()}, "key": {"inlineString": other.read()}}


class Zone:
    """A namespace with a control plane of the zone and what is started in it."""

    def __init__(self, name):
        self.name, self.address = name, WIRE[name]
        self.space = Namespace(name)
        self.run = self.space.run
        self.mesh = None

    def start(self, mtls):
        self.mesh = self.run(Mesh, {"KUMA_MULTIZONE_ZONE_NAME": self.name, "KUMA_DP_SERVER_AUTHN_ZONE_PROXY_TYPE": "none"})
        self.put_mesh(mtls)

    def put_mesh(self, mtls, **more):
        self.put("/meshes/default", {"type": "Mesh", "name": "default", **more, "mtls": {
            "enabledBackend": "ca-1", "backends": [{"name": "ca-1", "type": "provided", "conf": mtls}]}})

    def put(self, path, resource):
        self.run(self.mesh.put, path, resource)

    def get(self, path):
        status, body = self.run(self.mesh.call, "GET", path)
        return json.loads(body) if status == 200 else {}

    def start_zone_proxy(self, kind, name):
        """Listens on the wire."""
        return self.run(self._start_zone_proxy, kind, name)

    def _start_zone_proxy(self, kind, name):
        admin, port = free_port(), free_port()
        networking = {"address": self.address, "port": port, "admin": {"port": admin}}
        if kind == "ingress":
            networking |= {"advertisedAddress": self.address, "advertisedPort": port}
        file = self.mesh.dir / f"{name}.json"
        file.write_text(json.dumps({"type": "ZoneIngress" if kind == "ingress" else "ZoneEgress", "name": name, "networking": networking}))
        process = self.mesh.start(name, [
            BIN / "kuma-dp", "run", f"--proxy-type={kind}", f"--cp-address=https://127.0.0.1:{self.mesh.ports['dp']}",
            f"--ca-cert-file={self.mesh.dir}/cp/kuma-cp.crt", "--dns-enabled=false", f"--dataplane-file={file}",
            f"--binary-path={ENVOY}", "--concurrency=1", "--drain-time=1s"], {"KUMA_READINESS_PORT": str(free_port())})
        try:
            eventually(lambda: send(admin, "/ready").status == 200, f"the Envoy of {name} is ready")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.mesh.log(name)[-3000:]}\n{self.mesh.log('kuma-cp')[-2000:]}") from None
        return Proxy(name, process, admin, {}, None)

    def close(self):
        if self.mesh is not None:
            self.run(self.mesh.close)
        self.space.close()


@unittest.skipUnless(is_complete(), "left out: build/bin or the Envoy of build/envoy is missing")
@unittest.skipUnless(has_namespaces(), "left out: this user may not make network namespaces")
class ZoneProxies(unittest.TestCase):
    """client in east -> backend in west, and -> outside, which is no part of the mesh. The applications' proxies are on loopback, so
    from the other zone there is no way to them but by an ingress. The tests are steps, in order."""

    @classmethod
    def setUpClass(cls):
        cls.mtls = authority()
        cls.east, cls.west = cls.enter("east"), cls.enter("west")
        join(cls.east.space, cls.west.space)
        for zone in (cls.east, cls.west):
            zone.start(cls.mtls)
        cls.backend = cls.west.run(cls.west.mesh.proxy, "backend-1", "backend")
        cls.ingress = cls.west.start_zone_proxy("ingress", "in-west")
        cls.client = cls.east.run(cls.east.mesh.proxy, "client-1", "client", outbounds=["backend", "outside"])

    @classmethod
    def enter(cls, name):
        zone = Zone(name)
        cls.addClassCleanup(zone.close)
        return zone

    def send(self, to, **named):
        return self.east.run(self.client.send, to, **named)

    def expect(self, to, body):
        eventually(lambda: self.send(to).body == body, f"the client hears {body} from {to}")

    def count(self, zone, proxy, name):
        return zone.run(proxy.stat, name)

    def test_1_a_service_that_no_zone_offers_is_not_reached(self):
        self.assertNotEqual(self.send("backend").status, 200)

    def test_2_a_request_goes_through_the_ingress_of_the_other_zone(self):
        offered = eventually(lambda: self.west.get("/zone-ingresses/in-west") if "availableServices" in
                             self.west.get("/zone-ingresses/in-west") else None, "the ingress says what it offers")
        self.assertEqual([one["tags"]["kuma.io/service"] for one in offered["availableServices"]], ["backend"])
        # As global would bring it.
        self.east.put("/zone-ingresses/in-west", {**offered, "zone": "west"})
        self.expect("backend", "backend-1")
        self.assertGreater(self.count(self.west, self.ingress, "cluster.default_backend.upstream_cx_total"), 0)

    def test_3_a_name_that_the_ingress_does_not_know_is_refused_there(self):
        self.east.put("/meshes/default/traffic-routes/to-a-version", {
            "type": "TrafficRoute", "mesh": "default", "name": "to-a-version", "sources": [{"match": {"kuma.io/service": "client"}}],
            "destinations": [{"match": {"kuma.io/service": "backend"}}],
            "conf": {"destination": {"kuma.io/service": "backend", "kuma.io/zone": "west"}}})
        eventually(lambda: self.send("backend").status == 503, "the west knows of no route to a subset")
        self.east.run(self.east.mesh.delete, "traffic-routes/to-a-version")
        self.expect("backend", "backend-1")

    def test_4_with_an_egress_requests_leave_the_zone_through_it_alone(self):
        self.east.put_mesh(self.mtls, routing={"zoneEgress": True})
        type(self).egress = self.east.start_zone_proxy("egress", "out-east")
        counter = "cluster.default_backend.upstream_cx_total"
        eventually(lambda: self.send("backend").body == "backend-1" and self.count(self.east, self.egress, counter) > 0,
                   "a request goes by the egress")

    def test_5_an_external_service_is_reached_through_the_egress(self):
        outside = self.west.run(Service, "outside", address=self.west.address)
        self.addClassCleanup(outside.close)
        self.east.put("/meshes/default/external-services/outside", {
            "type": "ExternalService", "mesh": "default", "name": "outside", "networking": {"address": f"{self.west.address}:{outside.port}"},
            "tags": {"kuma.io/service": "outside", "kuma.io/protocol": "http"}})
        self.expect("outside", "outside")
        self.assertGreater(self.count(self.east, self.egress, "cluster.default_outside.upstream_rq_200"), 0)
        self.assertEqual(self.send("outside", path="/page").status, 200)
        self.assertEqual(outside.requests[-1][0], "/page")

    def test_6_the_egress_refuses_who_may_not_use_the_external_service(self):
        def allow(client):
            self.east.run(self.east.mesh.policy, "meshtrafficpermissions", "MeshTrafficPermission", "who-may-leave", {
                "targetRef": {"kind": "MeshService", "name": "outside"},
                "from": [{"targetRef": {"kind": "MeshService", "name": client}, "default": {"action": "Allow"}}]})
        allow("somebody-else")
        eventually(lambda: self.send("outside").status == 503, "the client is refused")
        self.expect("backend", "backend-1")
        allow("client")
        self.expect("outside", "outside")

    def test_7_a_fault_for_the_external_service_is_injected_at_the_egress(self):
        self.east.put("/meshes/default/fault-injections/closed", {
            "type": "FaultInjection", "mesh": "default", "name": "closed",
            "sources": [{"match": {"kuma.io/service": "client", "kuma.io/protocol": "http"}}],
            "destinations": [{"match": {"kuma.io/service": "outside", "kuma.io/protocol": "http"}}],
            "conf": {"abort": {"httpStatus": 418, "percentage": 100}}})
        eventually(lambda: self.send("outside").status == 418, "the fault")
        self.east.run(self.east.mesh.delete, "fault-injections/closed")
        self.expect("outside", "outside")

    def test_8_the_egress_follows_the_failover_rules(self):
        def fail_over(rule):
            self.east.run(self.east.mesh.policy, "meshloadbalancingstrategies", "MeshLoadBalancingStrategy", "zones", {
                "targetRef": {"kind": "Mesh"}, "to": [{"targetRef": {"kind": "MeshService", "name": "backend"}, "default": {
                    "localityAwareness": {"crossZone": {"failover": [{"to": rule}]}}}}]})
        fail_over({"type": "None"})
        eventually(lambda: self.send("backend").status == 503, "no request leaves the zone")
        fail_over({"type": "Only", "zones": ["west"]})
        self.expect("backend", "backend-1")


if __name__ == "__main__":
    unittest.main()
