#!/usr/bin/env python3
"""What policies do to requests: one control plane, kuma-dp with real Envoys, small HTTP services. Each test sends requests and
looks at what comes back, what arrived, or what Envoy counted."""
import collections
import json
import threading
import time
import unittest

from mesh_rig import Mesh, eventually, is_complete

TO_MESH = {"kind": "Mesh"}


def essence(dump):
    """What of a configuration dump is the same whenever the configuration is; resources come in any order."""
    if isinstance(dump, dict):
        return {key: essence(value) for key, value in dump.items() if key not in ("last_updated", "version_info")}
    return sorted((essence(value) for value in dump), key=json.dumps) if isinstance(dump, list) else dump


@unittest.skipUnless(is_complete(), "left out: build/bin or the Envoy of build/envoy is missing")
class Policies(unittest.TestCase):
    """client -> backend (v1 on one instance, v2 on the other)."""

    @classmethod
    def setUpClass(cls):
        cls.mesh = Mesh({"KUMA_XDS_DATAPLANE_DEREGISTRATION_DELAY": "100ms"})
        cls.addClassCleanup(cls.mesh.close)
        cls.v1 = cls.mesh.proxy("backend-1", "backend", {"version": "v1", "rack": "near"})
        cls.v2 = cls.mesh.proxy("backend-2", "backend", {"version": "v2", "rack": "far"})
        cls.client = cls.mesh.proxy("client-1", "client", {"rack": "near"}, outbounds=["backend"])
        cls.mesh.reaches(cls.client, "backend", 2)

    def setUp(self):
        self.before = self.configs()
        self.addCleanup(self.back_to_normal)  # after everything else is cleaned up

    def configs(self):
        return [essence(json.loads(proxy.config())) for proxy in (self.client, self.v1, self.v2)]

    def policy(self, plural, kind, spec, name="tested"):
        """Applied for this test."""
        self.mesh.policy(plural, kind, name, spec)
        self.addCleanup(self.mesh.delete, f"{plural}/{name}")

    def back_to_normal(self):
        for proxy in (self.v1, self.v2):
            proxy.service.behave = None
        eventually(lambda: self.configs() == self.before, "the proxies are configured as before")
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

    def test_MeshFaultInjection_delays_requests(self):
        self.inbound("MeshFaultInjection", "meshfaultinjections", {"http": [{"delay": {"value": "300ms", "percentage": 100}}]})

        def is_slow():
            begun = time.monotonic()
            return self.client.send("backend").status == 200 and time.monotonic() - begun >= 0.3
        eventually(is_slow, "a request takes as long as it is delayed")

    # Rates

    def test_MeshRateLimit_refuses_what_is_more_than_the_rate(self):
        self.inbound("MeshRateLimit", "meshratelimits", {"local": {"http": {
            "requestRate": {"num": 1, "interval": "60s"},
            "onRateLimit": {"status": 423, "headers": {"set": [{"name": "x-limited", "value": "yes"}]}}}}})
        # Each of the two instances takes one request, then none for a minute.
        eventually(lambda: self.statuses(4) == {423: 4}, "requests are refused")
        self.assertEqual(self.client.send("backend").headers["x-limited"], "yes")
        for proxy in (self.v1, self.v2):
            self.assertGreater(proxy.stat("rate_limit.http_local_rate_limit.rate_limited"), 0)

    # Retries

    def test_MeshRetry_tries_again_and_the_client_sees_success(self):
        self.outbound("MeshRetry", "meshretries", {"http": {"numRetries": 3, "retryOn": ["5xx"],
                                                            "backOff": {"baseInterval": "1ms", "maxInterval": "2ms"}}})
        failures = FirstFails(0)
        self.v1.service.behave = self.v2.service.behave = failures

        def retries_of_one_request():
            failures.again(100)
            before = self.client.stat("cluster.backend.upstream_rq_retry")
            self.assertEqual(self.client.send("backend").status, 503)
            return self.client.stat("cluster.backend.upstream_rq_retry") - before
        # A mesh is made with a Retry of 5, which this one replaces.
        eventually(lambda: retries_of_one_request() == 3, "a request that always fails is tried three times more")
        failures.again(3)
        self.assertEqual(self.client.send("backend").status, 200)
        self.assertEqual(failures.left, 0)
        self.assertGreater(self.client.stat("cluster.backend.upstream_rq_retry_success"), 0)

    # Outliers

    def test_MeshCircuitBreaker_ejects_the_instance_that_fails(self):
        self.outbound("MeshCircuitBreaker", "meshcircuitbreakers", {"outlierDetection": {
            "interval": "100ms", "baseEjectionTime": "60s", "maxEjectionPercent": 50,
            "detectors": {"totalFailures": {"consecutive": 2}}}})
        self.v2.service.behave = lambda request: (500, {}, "broken")

        def is_ejected():
            self.statuses(4)
            return self.client.stat("cluster.backend.outlier_detection.ejections_active") == 1
        eventually(is_ejected, "the instance is ejected")
        self.assertEqual({self.client.send("backend").body for _ in range(8)}, {"backend-1"})

    def test_MeshCircuitBreaker_limits_the_requests_under_way(self):
        self.outbound("MeshCircuitBreaker", "meshcircuitbreakers", {"connectionLimits": {"maxRequests": 1}})
        gate = threading.Event()
        self.addCleanup(gate.set)
        self.v1.service.behave = self.v2.service.behave = lambda request: gate.wait(20) and None

        def is_limited():
            gate.clear()
            first = threading.Thread(target=self.client.send, args=("backend",))
            first.start()
            try:
                eventually(lambda: self.client.stat("cluster.backend.upstream_rq_active") == 1, "one is under way")
                return self.client.send("backend", timeout=1).status == 503
            finally:
                gate.set()
                first.join()
        eventually(is_limited, "the second request is refused")

    # Health checks

    def test_MeshHealthCheck_takes_out_the_instance_that_is_not_well(self):
        def sick(request):
            return (503, {}, "sick") if request.path == "/health" else None
        self.v1.service.behave = sick
        self.outbound("MeshHealthCheck", "meshhealthchecks", {
            "interval": "100ms", "timeout": "1s", "unhealthyThreshold": 1, "healthyThreshold": 1, "noTrafficInterval": "100ms",
            "healthyPanicThreshold": 0, "http": {"path": "/health", "expectedStatuses": [200]}})
        eventually(lambda: {self.client.send("backend").body for _ in range(6)} == {"backend-2"}, "only the other one is asked")
        checked = [headers for path, headers in self.v2.service.requests if path == "/health"]
        self.assertTrue(checked)
        self.assertNotIn("x-kuma-tags", checked[0])  # the inbound takes it out
        self.v1.service.behave = None
        eventually(lambda: len({self.client.send("backend").body for _ in range(6)}) == 2, "it is asked again when it is well")

    # Timeouts

    def test_MeshTimeout_ends_a_request_that_takes_too_long(self):
        gate = threading.Event()
        self.addCleanup(gate.set)
        self.outbound("MeshTimeout", "meshtimeouts", {"http": {"requestTimeout": "200ms"}})
        self.v1.service.behave = self.v2.service.behave = lambda request: gate.wait(2) and None

        def is_ended():
            answer = self.client.send("backend")
            return answer.status == 504 and "timeout" in answer.body
        eventually(is_ended, "the request ends by the timeout")
        gate.set()

    # Load balancing

    def test_MeshLoadBalancingStrategy_keeps_a_user_on_one_instance(self):
        self.outbound("MeshLoadBalancingStrategy", "meshloadbalancingstrategies", {"loadBalancer": {"type": "RingHash", "ringHash": {
            "hashPolicies": [{"type": "Header", "header": {"name": "x-user"}}]}}})

        def instances(user):
            return {self.client.send("backend", headers={"x-user": user}).body for _ in range(6)}
        users = [f"user-{number}" for number in range(12)]
        eventually(lambda: all(len(instances(user)) == 1 for user in users), "every user stays on one instance")
        self.assertEqual(len(set.union(*(instances(user) for user in users))), 2, "users are spread over both instances")

    def test_MeshLoadBalancingStrategy_prefers_what_is_near_and_takes_the_rest_when_that_fails(self):
        self.policy("meshloadbalancingstrategies", "MeshLoadBalancingStrategy", {
            "targetRef": {"kind": "MeshService", "name": "client"},
            "to": [{"targetRef": {"kind": "MeshService", "name": "backend"}, "default": {
                "localityAwareness": {"localZone": {"affinityTags": [{"key": "rack", "weight": 9999}]}}}}]})
        self.outbound("MeshCircuitBreaker", "meshcircuitbreakers", {"outlierDetection": {
            "interval": "100ms", "baseEjectionTime": "60s", "maxEjectionPercent": 100,
            "detectors": {"totalFailures": {"consecutive": 2}}}})
        eventually(lambda: {self.client.send("backend").body for _ in range(12)} == {"backend-1"}, "only the near one is asked")
        self.v1.service.behave = lambda request: (500, {}, "broken")
        eventually(lambda: {self.client.send("backend").body for _ in range(12)} == {"backend-2"}, "then only the far one")

    def test_MeshLoadBalancingStrategy_goes_from_the_node_to_the_rack_to_the_rest_as_instances_are_killed(self):
        stores = {name: self.mesh.proxy(name, "store", tags) for name, tags in {
            "same-node": {"node": "n1", "rack": "r1"}, "same-rack": {"node": "n2", "rack": "r1"},
            "elsewhere": {"node": "n3", "rack": "r2"}}.items()}
        client = self.mesh.proxy("buyer-1", "buyer", {"node": "n1", "rack": "r1"}, outbounds=["store"])
        self.mesh.reaches(client, "store", 3)
        self.outbound("MeshLoadBalancingStrategy", "meshloadbalancingstrategies", {"localityAwareness": {"localZone": {
            "affinityTags": [{"key": "node"}, {"key": "rack"}]}}}, "store", {"kind": "MeshService", "name": "buyer"})

        def spread():
            seen = collections.Counter(client.send("store").body for _ in range(100))
            # The node gets 90, the rack 9, the rest 1; far more than four standard deviations are allowed.
            return 75 <= seen["same-node"] < 100 and seen["same-rack"] > seen["elsewhere"]
        eventually(spread, "each gets its share by weight")
        stores["same-node"].process.kill()
        eventually(lambda: 16 <= collections.Counter(client.send("store").body for _ in range(20))["same-rack"], "the rack comes next")
        stores["same-rack"].process.kill()
        eventually(lambda: {client.send("store").body for _ in range(20)} == {"elsewhere"}, "then the rest, with no request lost")

    # Routes

    def route(self, rules):
        self.policy("meshhttproutes", "MeshHTTPRoute", {
            "targetRef": {"kind": "MeshService", "name": "client"},
            "to": [{"targetRef": {"kind": "MeshService", "name": "backend"}, "rules": rules}]})

    @staticmethod
    def version(version, **more):
        return {"kind": "MeshServiceSubset", "name": "backend", "tags": {"version": version}, **more}

    def test_MeshHTTPRoute_adds_a_header_for_its_path_only(self):
        self.route([{"matches": [{"path": {"type": "PathPrefix", "value": "/marked"}}], "default": {
            "filters": [{"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": [{"name": "x-marked", "value": "yes"}]}}],
            "backendRefs": [self.version("v1")]}}])

        def header(path):
            answer = self.client.send("backend", path)
            self.assertEqual(answer.status, 200)
            return {"backend-1": self.v1, "backend-2": self.v2}[answer.body].service.requests[-1][1].get("x-marked")
        eventually(lambda: header("/marked/page") == "yes", "the header arrives")
        self.assertIsNone(header("/other"))

    def test_MeshHTTPRoute_splits_10_to_90(self):
        self.route([{"matches": [{"path": {"type": "PathPrefix", "value": "/"}}], "default": {
            "backendRefs": [self.version("v1", weight=10), self.version("v2", weight=90)]}}])
        eventually(lambda: "weighted_clusters" in self.client.config(), "the split is there")
        seen = collections.Counter(self.client.send("backend").body for _ in range(500))
        self.assertEqual(set(seen), {"backend-1", "backend-2"})
        # 50 are expected; this is more than four standard deviations to each side.
        self.assertTrue(20 <= seen["backend-1"] <= 80, seen)

    def test_MeshHTTPRoute_mirrors_requests(self):
        self.route([{"matches": [{"path": {"type": "PathPrefix", "value": "/"}}], "default": {
            "filters": [{"type": "RequestMirror", "requestMirror": {"backendRef": self.version("v2")}}],
            "backendRefs": [self.version("v1")]}}])

        def is_mirrored():
            before = self.v2.service.seen
            self.assertEqual({self.client.send("backend", "/mirrored").body for _ in range(4)}, {"backend-1"})
            return self.v2.service.seen > before
        eventually(is_mirrored, "the other version sees the requests too")

    def test_MeshTCPRoute_leads_connections_to_the_instances_that_it_names(self):
        self.policy("meshtcproutes", "MeshTCPRoute", {
            "targetRef": {"kind": "MeshService", "name": "client"}, "to": [{
                "targetRef": {"kind": "MeshService", "name": "backend"},
                "rules": [{"default": {"backendRefs": [self.version("v2")]}}]}]})
        eventually(lambda: {self.client.send("backend").body for _ in range(12)} == {"backend-2"}, "only one version is asked")
        self.assertGreater(self.client.stat("tcp.backend.downstream_cx_total"), 0)

    # Permissions

    def mtls(self, **mtls):
        self.mesh.put("/meshes/default", {"type": "Mesh", "name": "default", **mtls})

    def test_MeshTrafficPermission_lets_in_the_clients_that_it_allows(self):
        self.mtls(mtls={"enabledBackend": "ca-1", "backends": [{"name": "ca-1", "type": "builtin"}]})
        self.addCleanup(self.mtls)

        def denied():
            return sum(proxy.stat(f"inbound_127_0_0_1_{proxy.inbound}.rbac.denied") for proxy in (self.v1, self.v2))

        def allow(client):
            self.mesh.policy("meshtrafficpermissions", "MeshTrafficPermission", "tested", {
                "targetRef": {"kind": "MeshService", "name": "backend"},
                "from": [{"targetRef": {"kind": "MeshService", "name": client}, "default": {"action": "Allow"}}]})
        self.addCleanup(self.mesh.delete, "meshtrafficpermissions/tested")
        allow("somebody-else")
        eventually(lambda: self.statuses(4) == {503: 4} and denied() > 0, "the client is refused")
        allow("client")
        eventually(lambda: self.statuses(8) == {200: 8}, "the client is let in")

    # Patches

    def test_MeshProxyPatch_changes_what_was_generated(self):
        self.policy("meshproxypatches", "MeshProxyPatch", {
            "targetRef": {"kind": "MeshService", "name": "client"}, "default": {"appendModifications": [{"virtualHost": {
                "operation": "Patch", "match": {"routeConfigurationName": "outbound:backend"},
                "value": "{responseHeadersToAdd: [{header: {key: x-patched, value: by-policy}}]}"}}]}})
        eventually(lambda: self.client.send("backend").headers.get("x-patched") == "by-policy", "the header of the patch arrives")


class FirstFails:
    """Answers 503 to so many requests, then lets them through."""

    def __init__(self, left):
        self.left, self.lock = left, threading.Lock()

    def again(self, left=1):
        with self.lock:
            self.left = left

    def __call__(self, request):
        with self.lock:
            if self.left > 0:
                self.left -= 1
                return 503, {}, "not yet"
        return None


if __name__ == "__main__":
    unittest.main(verbosity=2)
