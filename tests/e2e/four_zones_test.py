#!/usr/bin/env python3
"""Who goes where when instances die, with four zones and real Envoys: zone-1 and zone-2 fail over to each other; zone-3 never leaves
itself, except for service-a; every other zone goes anywhere except to zone-3."""
import unittest

from mesh_rig import is_complete
from zones_rig import Zones, eventually

ZONES = ["zone-1", "zone-2", "zone-3", "zone-4"]


def failover(from_3):
    """By zone; `from_3` is what zone-3 does. A rule without `from` would be one for zones 1 to 3 too."""
    return {"localityAwareness": {"crossZone": {"failover": [
        {"from": {"zones": ["zone-1"]}, "to": {"type": "Only", "zones": ["zone-2"]}},
        {"from": {"zones": ["zone-2"]}, "to": {"type": "Only", "zones": ["zone-1"]}},
        {"from": {"zones": ["zone-3"]}, "to": {"type": from_3}},
        {"from": {"zones": ["zone-4"]}, "to": {"type": "AnyExcept", "zones": ["zone-3"]}}]}}}


@unittest.skipUnless(is_complete(), "left out: build/bin or the Envoy of build/envoy is missing")
class FourZones(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.zones = Zones(ZONES)
        cls.addClassCleanup(cls.zones.close)
        cls.zones.glob.put({"type": "MeshLoadBalancingStrategy", "mesh": "default", "name": "who-goes-where", "spec": {
            "targetRef": {"kind": "Mesh"},
            "to": [{"targetRef": {"kind": "Mesh"}, "default": failover("None")},
                   {"targetRef": {"kind": "MeshService", "name": "service-a"}, "default": failover("Any")}]}})
        cls.clients, cls.servers = {}, {}
        for name in ZONES:
            cls.clients[name] = cls.zones.dataplane(name, "client", ["client"], ["service-a", "service-b"])
            cls.servers[name] = cls.zones.dataplane(name, "services", ["service-a", "service-b"])
            cls.zones.zone_proxy(name, "ingress", "ingress")
        cls.zones.wait_ready()
        # Failing over takes knowing of the others' instances.
        for name in ZONES:
            eventually(lambda: sum(len(ingress.get("availableServices", [])) for ingress in
                                   cls.zones[name].get("/zone-ingresses").get("items", [])) == 3 * len(ZONES), f"{name} knows what all zones offer")

    def setUp(self):
        self.expect({(zone, service): {zone} for zone in ZONES for service in ("service-a", "service-b")})

    def die(self, zone, service):
        self.servers[zone].instances[service].die()
        self.addCleanup(self.servers[zone].instances[service].start)

    def hears(self, zone, service):
        """The zones whose instances answer a client; what else it gets as it is."""
        return {str(answer).removeprefix(f"{service} ") for answer in self.clients[zone].answers(service, 8)}

    def expect(self, wanted):
        """`wanted`: (client's zone, service): the zones that answer."""
        for (zone, service), zones in wanted.items():
            try:
                eventually(lambda: self.hears(zone, service) == zones, f"the client in {zone} reaches {service} in {zones}")
            except AssertionError as error:
                raise AssertionError(f"{error}; it hears {self.hears(zone, service)}") from None

    def test_1_zones_1_and_2_fail_over_to_each_other_and_to_nobody_else(self):
        self.die("zone-1", "service-b")
        self.expect({("zone-1", "service-b"): {"zone-2"}, ("zone-1", "service-a"): {"zone-1"}})
        self.die("zone-2", "service-b")
        self.expect({("zone-1", "service-b"): {"503"}, ("zone-2", "service-b"): {"503"}, ("zone-4", "service-b"): {"zone-4"}})

    def test_2_zone_3_never_leaves_itself_but_for_service_a(self):
        self.die("zone-3", "service-b")
        self.die("zone-3", "service-a")
        self.expect({("zone-3", "service-b"): {"503"}, ("zone-3", "service-a"): {"zone-1", "zone-2", "zone-4"}})

    def test_3_every_other_zone_goes_anywhere_but_to_zone_3(self):
        self.die("zone-4", "service-b")
        self.expect({("zone-4", "service-b"): {"zone-1", "zone-2"}})
        self.die("zone-1", "service-b")
        self.expect({("zone-4", "service-b"): {"zone-2"}})
        self.die("zone-2", "service-b")
        self.expect({("zone-4", "service-b"): {"503"}, ("zone-3", "service-b"): {"zone-3"}})

    def test_4_a_proxy_that_is_killed_counts_as_an_instance_that_died(self):
        self.addCleanup(self.servers["zone-2"].start)
        self.servers["zone-2"].kill()
        self.expect({("zone-2", "service-a"): {"zone-1"}, ("zone-2", "service-b"): {"zone-1"}})


if __name__ == "__main__":
    unittest.main()
