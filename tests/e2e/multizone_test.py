#!/usr/bin/env python3
"""One global and two zones with a real Envoy for each dataplane, ingress and egress: requests cross zones when they have to, and
nothing within a zone needs the global."""
import json
import pathlib
import shutil
import subprocess
import tempfile
import unittest

from mesh_rig import BIN, is_complete, send
from zones_rig import MTLS_MESH, Zones, eventually


@unittest.skipUnless(is_complete(), "left out: build/bin or the Envoy of build/envoy is missing")
class TwoZones(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.zones = Zones(["east", "west"])
        cls.addClassCleanup(cls.zones.close)
        cls.east, cls.west, cls.glob = cls.zones["east"], cls.zones["west"], cls.zones.glob
        cls.glob.put({"type": "MeshLoadBalancingStrategy", "mesh": "default", "name": "near-first", "spec": {
            "targetRef": {"kind": "Mesh"}, "to": [{"targetRef": {"kind": "Mesh"}, "default": {"localityAwareness": {"crossZone": {
                "failover": [{"to": {"type": "Any"}}]}}}}]}})
        cls.client = cls.zones.dataplane("east", "web", ["web", "backend"], ["backend", "late"])
        cls.remote = cls.zones.dataplane("west", "web", ["web", "backend"], ["backend"])
        cls.ingress = cls.zones.zone_proxy("east", "ingress", "in")
        cls.zones.zone_proxy("west", "ingress", "in")
        cls.egress = cls.zones.zone_proxy("east", "egress", "out")
        cls.zones.wait_ready()
        for client, zone in ((cls.client, "east"), (cls.remote, "west")):
            cls.expect(client, "backend", {f"backend {zone}"})

    @staticmethod
    def expect(client, service, names):
        try:
            eventually(lambda: client.answers(service) == names, f"{client.name} hears {names} of {service}")
        except AssertionError as error:
            raise AssertionError(f"{error}; it hears {client.answers(service)}\n{client.zone.log()[-1500:]}") from None

    def test_1_a_request_crosses_zones_when_the_local_instance_dies_and_stays_when_it_is_back(self):
        self.client.instances["backend"].die()
        self.expect(self.client, "backend", {"backend west"})
        self.client.instances["backend"].start()
        self.expect(self.client, "backend", {"backend east"})

    def test_2_pages_of_proxies_in_zones_are_read_at_the_global(self):
        proxies = {"/meshes/default/dataplanes/east.web": self.client.admin, "/zoneingresses/east.in": self.ingress.admin,
                   "/zoneegresses/east.out": self.egress.admin}
        for path in proxies:
            for page, inside in (("xds", "configs"), ("stats", "server.uptime: "), ("clusters", "kuma:envoy:admin::")):
                status, body = self.glob.page(f"{path}/{page}")
                self.assertEqual((status, inside in body), (200, True), f"{path}/{page}: {body[:300]}")
        dump = json.loads(self.glob.page("/meshes/default/dataplanes/east.web/xds")[1])
        self.assertEqual(dump["configs"][0]["bootstrap"]["node"]["id"], "default.web")
        status, body = self.glob.page("/meshes/default/dataplanes/north.web/xds")
        self.assertEqual(status, 404, body)

    def test_3_the_overview_of_a_zone_shows_its_connection(self):
        subscription = self.glob.subscriptions("east")[-1]
        self.assertIn("version", subscription["version"]["kumaCp"])
        self.assertEqual(json.loads(subscription["config"])["multizone"]["zone"]["name"], "east")
        eventually(lambda: self.glob.subscriptions("east")[-1]["status"]["stat"].get("ZoneIngress", {}).get("responsesAcknowledged"),
                   "east has acknowledged the other zone's ingress")

    def test_4_without_the_global_traffic_and_changes_go_on_and_with_it_back_so_does_synchronisation(self):
        self.glob.kill()
        self.expect(self.client, "backend", {"backend east"})
        # A new service in the zone is reached, and an instance that dies is replaced by the other zone's: what is known of it stays.
        late = self.zones.dataplane("east", "late", ["late"])
        late.wait_ready()
        self.expect(self.client, "late", {"late east"})
        self.client.instances["backend"].die()
        self.expect(self.client, "backend", {"backend west"})
        self.client.instances["backend"].start()
        self.expect(self.client, "backend", {"backend east"})

        self.glob.start()
        for zone in ("east", "west"):
            eventually(lambda: self.glob.is_online(zone), f"{zone} is back")
        eventually(lambda: self.glob.get("/meshes/default/dataplanes/east.late"), "the global hears of what was new meanwhile")
        self.glob.put({"type": "MeshTimeout", "mesh": "default", "name": "after", "spec": {
            "targetRef": {"kind": "Mesh"}, "to": [{"targetRef": {"kind": "Mesh"}, "default": {"idleTimeout": "30s"}}]}})
        for zone in (self.east, self.west):
            eventually(lambda: zone.get("/meshes/default/meshtimeouts/after"), f"{zone.name} has the new policy")
        self.expect(self.remote, "backend", {"backend west"})
        late.kill()
        eventually(lambda: not self.glob.get("/meshes/default/dataplanes/east.late"), "what has gone in the zone goes in the global")

    def test_5_without_its_control_plane_a_zone_still_answers_others(self):
        self.west.kill()
        eventually(lambda: not self.glob.is_online("west"), "the global shows that west has gone")
        self.expect(self.remote, "backend", {"backend west"})
        self.client.instances["backend"].die()
        self.expect(self.client, "backend", {"backend west"})
        self.client.instances["backend"].start()
        self.expect(self.client, "backend", {"backend east"})
        self.west.start()
        eventually(lambda: self.glob.is_online("west"), "west is back")
        eventually(lambda: self.west.get("/meshes/default/dataplanes/web/_overview").get("dataplaneInsight", {}).get("subscriptions"), "and has its proxies")
        self.remote.instances["backend"].die()
        self.expect(self.remote, "backend", {"backend east"})
        self.remote.instances["backend"].start()
        self.expect(self.remote, "backend", {"backend west"})

    def test_6_with_zone_egress_requests_to_another_zone_leave_through_the_egress(self):
        self.glob.put({**MTLS_MESH, "routing": {"zoneEgress": True}})
        self.addCleanup(self.glob.put, MTLS_MESH)
        self.egress.wait_ready()
        self.client.instances["backend"].die()
        self.addCleanup(self.client.instances["backend"].start)
        self.expect(self.client, "backend", {"backend west"})

        def passed():
            page = send(self.egress.admin, "/stats?filter=default_backend.upstream_cx_total").body
            return any(int(line.rsplit(" ", 1)[1]) > 0 for line in page.splitlines())
        eventually(lambda: self.client.answers("backend") == {"backend west"} and passed(), "the egress has seen connections to the other zone")


@unittest.skipUnless(is_complete(), "left out: build/bin or the Envoy of build/envoy is missing")
class Authentication(unittest.TestCase):
    """A global that asks its zones who they are. No proxies."""

    @classmethod
    def setUpClass(cls):
        cls.zones = Zones([], {"KUMA_MULTIZONE_GLOBAL_KDS_AUTH_TYPE": "cpToken", "KUMA_MULTIZONE_GLOBAL_KDS_ZONE_INSIGHT_FLUSH_INTERVAL": "1s"})
        cls.addClassCleanup(cls.zones.close)
        cls.glob = cls.zones.glob
        cls.glob.put({"type": "Zone", "name": "east"})

    def token(self, *flags):
        (self.zones.dir / "kumactl.yaml").write_text(json.dumps({
            "controlPlanes": [{"name": "g", "coordinates": {"apiServer": {"url": f"http://127.0.0.1:{self.glob.ports['api']}"}}}],
            "contexts": [{"name": "g", "controlPlane": "g"}], "currentContext": "g"}))
        return subprocess.run([BIN / "kumactl", f"--config-file={self.zones.dir / 'kumactl.yaml'}", "generate", "zone-token", "--valid-for=1h", *flags],
                              check=True, capture_output=True, text=True, timeout=30).stdout.strip()

    def problems(self):
        return "\n".join(one["message"] for one in self.glob.get("/zones/east/_overview").get("zoneInsight", {}).get("problems", []))

    def test_a_zone_gets_in_with_its_token_alone_and_a_second_one_of_its_name_does_not(self):
        file = self.zones.dir / "token"
        zone = self.zones.zone("east", {"KUMA_MULTIZONE_ZONE_KDS_AUTH_CP_TOKEN_PATH": str(file)})
        wrong = {"there is no token": "",
                 "zone from requestor: east is different than in token: west": self.token("--zone=west", "--scope=cp"),
                 "cp is out of token's scope": self.token("--zone=east", "--scope=ingress")}
        file.write_text("")
        zone.start()
        for reason, token in wrong.items():
            file.write_text(token)
            eventually(lambda: reason in self.problems(), f"the overview of the zone says: {reason}")
            eventually(lambda: reason in zone.log(), f"the zone says: {reason}")
        self.assertEqual(zone.get("/meshes/default"), {})
        self.assertFalse(self.glob.is_online("east"))

        file.write_text(self.token("--zone=east", "--scope=cp"))
        eventually(lambda: "mtls" in zone.get("/meshes/default") and self.glob.is_online("east"), "the zone gets in")

        second = self.zones.zone("east", {"KUMA_MULTIZONE_ZONE_KDS_AUTH_CP_TOKEN_PATH": str(file)}, "east-again")
        second.start()
        eventually(lambda: "a second control plane" in self.problems(), "the overview tells of the second")
        eventually(lambda: "give this one" in second.log(), "the second is told what to do")
        self.assertEqual(second.get("/meshes/default"), {})


@unittest.skipUnless(is_complete(), "left out: build/bin or the Envoy of build/envoy is missing")
class Transport(unittest.TestCase):
    """A global with a certificate of its own, and a zone that is restarted with other settings. No proxies."""

    @classmethod
    def setUpClass(cls):
        cls.keys = pathlib.Path(tempfile.mkdtemp(prefix="kuma-keys-"))
        cls.addClassCleanup(shutil.rmtree, cls.keys, True)
        for name in ("right", "wrong"):
            subprocess.run([BIN / "kumactl", "generate", "tls-certificate", "--type=server", "--hostname=localhost",
                            f"--cert-file={cls.keys}/{name}.crt", f"--key-file={cls.keys}/{name}.key"], check=True, capture_output=True, timeout=60)
        cls.zones = Zones([], {"KUMA_MULTIZONE_GLOBAL_KDS_TLS_CERT_FILE": f"{cls.keys}/right.crt", "KUMA_MULTIZONE_GLOBAL_KDS_TLS_KEY_FILE": f"{cls.keys}/right.key",
                               "KUMA_MULTIZONE_GLOBAL_KDS_TLS_MIN_VERSION": "TLSv1_3"})
        cls.addClassCleanup(cls.zones.close)
        cls.glob = cls.zones.glob

    def test_a_zone_verifies_the_global_and_goes_from_protocol_to_protocol_without_losing_anything(self):
        zone = self.zones.zone("east", {"KUMA_MULTIZONE_ZONE_KDS_ROOT_CA_FILE": f"{self.keys}/wrong.crt"})
        zone.start()
        eventually(lambda: "certificate verify failed" in zone.log(), "the zone says why it does not connect")
        self.assertEqual(self.glob.page("/zones/east")[0], 404)

        runs = [{"KUMA_MULTIZONE_ZONE_KDS_ROOT_CA_FILE": f"{self.keys}/right.crt"},
                {"KUMA_MULTIZONE_ZONE_KDS_ROOT_CA_FILE": f"{self.keys}/right.crt", "KUMA_EXPERIMENTAL_KDS_DELTA_ENABLED": "false"},
                {"KUMA_MULTIZONE_ZONE_KDS_TLS_SKIP_VERIFY": "true", "KUMA_MULTIZONE_ZONE_KDS_ROOT_CA_FILE": "", "KUMA_EXPERIMENTAL_KDS_DELTA_ENABLED": "true"},
                {"KUMA_MULTIZONE_ZONE_KDS_TLS_SKIP_VERIFY": "true", "KUMA_EXPERIMENTAL_KDS_DELTA_ENABLED": "false"}]
        for number, settings in enumerate(runs):
            zone.stop()
            zone.program.env.update(settings)
            self.glob.put({"type": "MeshTimeout", "mesh": "default", "name": f"t{number}", "spec": {
                "targetRef": {"kind": "Mesh"}, "to": [{"targetRef": {"kind": "Mesh"}, "default": {"idleTimeout": "30s"}}]}})
            zone.start()
            eventually(lambda: zone.get("/meshes/default/meshtimeouts").get("total") == number + 1, f"{settings}: the zone has all policies")
            zone.put({"type": "Dataplane", "mesh": "default", "name": f"d{number}", "networking": {"address": "10.0.0.1", "inbound": [
                {"port": 80, "tags": {"kuma.io/service": "web"}}]}})
            eventually(lambda: self.glob.get("/meshes/default/dataplanes").get("total") == number + 1, f"{settings}: the global has all dataplanes")
            eventually(lambda: self.glob.is_online("east"), "the zone is shown as online")


if __name__ == "__main__":
    unittest.main()
