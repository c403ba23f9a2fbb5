"""A global control plane and its zones, with kuma-dp and real Envoys in each, on loopback; builds on mesh_rig."""
import functools
import http.client
import json
import os
import pathlib
import shutil
import subprocess
import tempfile

import mesh_rig
from mesh_rig import BIN, ENVOY, Service, free_port, send

eventually = functools.partial(mesh_rig.eventually, seconds=60)  # a dozen Envoys and more share the machine

PLURALS = {"Mesh": "meshes", "MeshLoadBalancingStrategy": "meshloadbalancingstrategies", "ZoneIngress": "zone-ingresses"}
MTLS_MESH = {"type": "Mesh", "name": "default", "mtls": {"enabledBackend": "ca-1", "backends": [{"name": "ca-1", "type": "builtin"}]}}


class Program:
    """A process that can be killed and started again with the same words."""

    def __init__(self, rig, name, command, env):
        self.rig, self.name, self.command, self.env = rig, name, command, env
        self.log = rig.dir / f"{name}.log"
        self.process = None

    def start(self):
        clean = {k: v for k, v in os.environ.items() if not k.startswith("KUMA_")}
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([str(part) for part in self.command], stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                            env={**clean, "TMPDIR": str(self.rig.dir), **self.env})
        return self

    def kill(self):
        """As a crash does."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()


class ControlPlane:
    """A kuma-cp; what is on its disk outlives it."""

    def __init__(self, rig, name, mode, env):
        self.rig, self.name, self.dir = rig, name, rig.dir / name
        self.ports = p = {port: free_port() for port in ("api", "api-tls", "dp", "diag", "mads", "intercp", "kds")}
        self.program = Program(rig, name, [BIN / "kuma-cp", "run"], {
            "KUMA_ENVIRONMENT": "universal", "KUMA_MODE": mode, "KUMA_STORE_TYPE": "sqlite",
            "KUMA_STORE_SQLITE_PATH": str(self.dir / "kuma.db"), "KUMA_GENERAL_WORK_DIR": str(self.dir),
            "KUMA_API_SERVER_HTTP_INTERFACE": "127.0.0.1", "KUMA_API_SERVER_HTTP_PORT": str(p["api"]),
            "KUMA_API_SERVER_HTTPS_INTERFACE": "127.0.0.1", "KUMA_API_SERVER_HTTPS_PORT": str(p["api-tls"]),
            "KUMA_DP_SERVER_PORT": str(p["dp"]), "KUMA_DIAGNOSTICS_SERVER_PORT": str(p["diag"]),
            "KUMA_MONITORING_ASSIGNMENT_SERVER_PORT": str(p["mads"]), "KUMA_INTER_CP_SERVER_PORT": str(p["intercp"]),
            "KUMA_MULTIZONE_GLOBAL_KDS_GRPC_PORT": str(p["kds"]), "KUMA_DP_SERVER_AUTHN_DP_PROXY_TYPE": "none", **env})

    def start(self):
        self.program.start()
        eventually(lambda: self.page("/")[0] == 200, f"the control plane {self.name} is up")

    def kill(self):
        self.program.kill()

    def stop(self):
        """As an operator does."""
        self.program.process.terminate()
        self.program.process.wait(20)

    def log(self):
        return self.program.log.read_text(errors="replace")

    def call(self, method, path, body=None):
        link = http.client.HTTPConnection("127.0.0.1", self.ports["api"], timeout=15)
        try:
            link.request(method, path, body=None if body is None else json.dumps(body), headers={"content-type": "application/json"})
            answer = link.getresponse()
            return answer.status, answer.read().decode()
        except (OSError, http.client.HTTPException) as error:
            return 0, str(error)
        finally:
            link.close()

    def page(self, path):
        return self.call("GET", path)

    def get(self, path):
        """What is read there; {} for any other answer than 200."""
        status, body = self.page(path)
        return json.loads(body) if status == 200 else {}

    def put(self, resource):
        mesh = f"/meshes/{resource['mesh']}" if "mesh" in resource else ""
        plural = PLURALS.get(resource["type"], resource["type"].lower() + "s")
        status, body = self.call("PUT", f"{mesh}/{plural}/{resource['name']}", resource)
        if status not in (200, 201):
            raise AssertionError(f"PUT {resource['name']} at {self.name}: {status} {body}")

    def subscriptions(self, zone):
        return self.get(f"/zones/{zone}/_overview").get("zoneInsight", {}).get("subscriptions", [])

    def is_online(self, zone):
        return any("connectTime" in one and "disconnectTime" not in one for one in self.subscriptions(zone))


class Instance:
    """An application behind an inbound; while it is dead nobody listens and no connection lives on."""

    def __init__(self, rig, name, service):
        self.rig, self.name, self.service, self.port = rig, name, service, 0
        self.running = None
        self.start()

    def start(self):
        self.running = Service(self.name, port=self.port)
        self.port = self.running.port

    def die(self):
        def hang_up(_request):
            raise ConnectionAbortedError
        if self.running is not None:
            self.running.behave = hang_up
            self.running.close()
            self.running = None


class Proxy:
    def __init__(self, name, zone, program, admin, outbounds, instances):
        self.name, self.zone, self.program, self.admin = name, zone, program, admin
        self.outbounds, self.instances = outbounds, instances  # by service: port; Instance
        self.listens = True  # Envoy is ready when it has its first listener; an egress without work gets none

    def send(self, service, **named):
        return send(self.outbounds[service], **named)

    def answers(self, service, count=6):
        """Who answered, by name; the status where that was not 200."""
        return {a.body if a.status == 200 else a.status for a in (self.send(service) for _ in range(count))}

    def wait_ready(self):
        try:
            eventually(lambda: send(self.admin, "/ready").status == 200, f"the Envoy of {self.name} is ready")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.program.log.read_text(errors='replace')[-3000:]}\n{self.zone.log()[-2000:]}") from None

    def start(self):
        self.program.start()
        self.wait_ready()

    def kill(self):
        self.program.kill()  # Envoy dies with its kuma-dp


class Zones:
    def __init__(self, names, global_env=None, zone_env=None):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="kuma-zones-"))
        self.proxies, self.instances, self.planes = [], [], []
        try:
            self.glob = self.control_plane("global", "global", global_env or {})
            self.glob.start()
            self.glob.put(MTLS_MESH)
            self.zones = {name: self.zone(name, zone_env) for name in names}
            for zone in self.zones.values():
                zone.program.start()
            for name in names:
                self.wait_synced(name)
        except BaseException:
            self.close()
            raise

    def __getitem__(self, name):
        return self.zones[name]

    def control_plane(self, name, mode, env):
        self.planes.append(ControlPlane(self, name, mode, env))
        return self.planes[-1]

    def zone(self, name, env=None, directory=None):
        """A zone's control plane, not started; it verifies the global's certificate."""
        return self.control_plane(directory or name, "zone", {
            "KUMA_MULTIZONE_ZONE_NAME": name, "KUMA_MULTIZONE_ZONE_GLOBAL_ADDRESS": f"grpcs://localhost:{self.glob.ports['kds']}",
            "KUMA_MULTIZONE_ZONE_KDS_ROOT_CA_FILE": str(self.glob.dir / "kuma-cp.crt"),
            "KUMA_XDS_DATAPLANE_DEREGISTRATION_DELAY": "200ms", "KUMA_DP_SERVER_HDS_INTERVAL": "1s",
            "KUMA_DP_SERVER_HDS_REFRESH_INTERVAL": "1s", **(env or {})})

    def wait_synced(self, name):
        zone = self.zones[name]
        eventually(lambda: "mtls" in zone.get("/meshes/default") and self.glob.is_online(name), f"zone {name} has its mesh from the global")

    def start_proxy(self, zone, name, kind, resource, admin, env=None):
        file = self.dir / f"{zone.name}-{name}.json"
        file.write_text(json.dumps(resource))
        program = Program(self, f"{zone.name}-{name}", [
            BIN / "kuma-dp", "run", f"--proxy-type={kind}", f"--cp-address=https://127.0.0.1:{zone.ports['dp']}",
            f"--ca-cert-file={zone.dir}/kuma-cp.crt", "--dns-enabled=false", f"--dataplane-file={file}", f"--binary-path={ENVOY}",
            "--concurrency=1", "--drain-time=1s"], {"KUMA_READINESS_PORT": str(free_port()), **(env or {})})
        proxy = Proxy(f"{zone.name}/{name}", zone, program, admin, {}, {})
        self.proxies.append(proxy)
        program.start()
        return proxy

    def dataplane(self, zone_name, name, services, outbounds=()):
        """A proxy with an instance of each service, whose health is probed; not waited for. Instances answer `SERVICE ZONE`."""
        zone, admin = self.zones[zone_name], free_port()
        instances = {service: Instance(self, f"{service} {zone_name}", service) for service in services}
        self.instances += instances.values()
        inbound = [{"port": free_port(), "servicePort": one.port, "serviceAddress": "127.0.0.1", "serviceProbe": {"tcp": {}},
                    "tags": {"kuma.io/service": service, "kuma.io/protocol": "http"}} for service, one in instances.items()]
        ports = {service: free_port() for service in outbounds}
        proxy = self.start_proxy(zone, name, "dataplane", {"type": "Dataplane", "mesh": "default", "name": name, "networking": {
            "address": "127.0.0.1", "admin": {"port": admin}, "inbound": inbound,
            "outbound": [{"port": port, "tags": {"kuma.io/service": service}} for service, port in ports.items()]}}, admin)
        proxy.outbounds, proxy.instances = ports, instances
        return proxy

    def zone_proxy(self, zone_name, kind, name):
        """A ZoneIngress or ZoneEgress with a token from the global; not waited for."""
        zone, admin, port = self.zones[zone_name], free_port(), free_port()
        status, token = self.glob.call("POST", "/tokens/zone", {"zone": zone_name, "scope": [kind], "validFor": "1h"})
        if status != 200:
            raise AssertionError(f"no zone token: {status} {token}")
        # The control plane of the zone checks it with the key that comes from the global.
        eventually(lambda: any(one["name"].startswith("zone-token-signing-public-key")
                               for one in zone.get("/global-secrets").get("items", [])), f"{zone_name} has the key of zone tokens")
        networking = {"address": "127.0.0.1", "port": port, "admin": {"port": admin}}
        if kind == "ingress":
            networking |= {"advertisedAddress": "127.0.0.1", "advertisedPort": port}
        resource = {"type": "ZoneIngress" if kind == "ingress" else "ZoneEgress", "name": name, "networking": networking}
        proxy = self.start_proxy(zone, name, kind, resource, admin, {"KUMA_DATAPLANE_RUNTIME_TOKEN": token})
        proxy.listens = kind == "ingress"
        return proxy

    def wait_ready(self):
        for proxy in self.proxies:
            if proxy.listens:
                proxy.wait_ready()

    def close(self):
        for proxy in self.proxies:
            proxy.kill()
        for plane in reversed(self.planes):
            plane.kill()
        for instance in self.instances:
            instance.die()
        shutil.rmtree(self.dir, ignore_errors=True)
