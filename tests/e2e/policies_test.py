#!/usr/bin/env python3
"""What policies do to requests: one control plane, kuma-dp with real Envoys, small HTTP services. Each test sends requests and
looks at what comes back, what arrived, or what Envoy counted."""
import collections
import threading
import time
import unittest

from mesh_rig import Mesh, eventually, is_complete

TO_MESH = {"kind": "Mesh"}


@unittest.skipUnless(is_complete(), "left out: build/bin or the Envoy of build/envoy is missing")
class Policies(unittest.TestCase):
    """client -> backend (v1 on one instance, v2 on the other)."""

    @classmethod
    def setUpClass(cls):
        cls.mesh = Mesh()
        cls.addClassCleanup(cls.mesh.close)
        cls.v1 = cls.mesh.proxy("backend-1", "backend", {"version": "v1"})
        cls.v2 = cls.mesh.proxy("backend-2", "backend", {"version": "v2"})
        cls.client = cls.mesh.proxy("client-1", "client", outbounds=["backend"])
        cls.mesh.reaches(cls.client, "backend", 2)

    def tearDown(self):
        for proxy in (self.v1, self.v2):
            proxy.service.behave = None

    def policy(self, plural, kind, spec, name="tested"):
        """Applied for this test."""
        self.mesh.policy(plural, kind, name, spec)
        self.addCleanup(self.back_to_normal)
        self.addCleanup(self.mesh.delete, f"{plural}/{name}")

    def back_to_normal(self):
        for proxy in (self.v1, self.v2):
            proxy.service.behave = None
        eventually(lambda: all(self.client.send("backend").status == 200 for _ in range(8)), "requests pass again")

    def outbound(self, kind, plural, conf, to="backend", target=None):
        self.policy(plural, kind, {"targetRef": target or {"kind": "MeshService", "name": "client"},
                                   "to": [{"targetRef": {"kind": "MeshService", "name": to}, "default": conf}]})

    def inbound(self, kind, plural, conf, source=None):
        self.policy(plural, kind, {"targetRef": {"kind": "MeshService", "name": "backend"},
                                   "from": [{"targetRef": source or TO_MESH, "default": conf}]})

    def statuses(self, count, **named):
        return collections.Counter(self.client.send("backend", **named).status for _ in range(count))

    # Faults

    def test_MeshFaultInjection_answers_503_to_the_client_that_it_is_for(self):
        self.inbound("MeshFaultInjection", "meshfaultinjections", {"http": [{"abort": {"httpStatus": 503, "percentage": 100}}]},
                     {"kind": "MeshService", "name": "client"})
        eventually(lambda: self.statuses(4) == {503: 4}, "every request is aborted")
        self.assertIn("fault filter abort", self.client.send("backend").body)

    def test_MeshFaultInjection_for_another_client_does_nothing_here(self):
        conf = {"http": [{"abort": {"httpStatus": 503, "percentage": 100}}]}
        self.inbound("MeshFaultInjection", "meshfaultinjections", conf, {"kind": "MeshService", "name": "somebody-else"})
        eventually(lambda: all("envoy.filters.http.fault" in p.config() for p in (self.v1, self.v2)), "the filter is there")
        self.assertEqual(self.statuses(6), {200: 6})


if __name__ == "__main__":
    unittest.main(verbosity=2)
