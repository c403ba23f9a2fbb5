"""A control plane, kuma-dp with real Envoys and small HTTP services, for tests that send requests through a mesh.

Everything listens on free ports of 127.0.0.1 and ends with the test that started it. Nothing sleeps for luck: `eventually` waits
for a condition, with a bound. BIN_DIR and ENVOY point to other programs than those in build."""
import http.client
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

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("BIN_DIR", ROOT / "build/bin"))
ENVOY = pathlib.Path(os.environ.get("ENVOY", ROOT / "build/envoy/bin/envoy"))
WAIT_S = 30  # how long anything may take, on a busy machine too


def is_complete():
    """Whether there is all that a mesh takes; a test is skipped otherwise."""
    return ENVOY.exists() and (BIN / "kuma-cp").exists() and (BIN / "kuma-dp").exists()


_taken = set()


def free_port():
    """Below the range from which the system takes ports of outgoing connections, so that nobody grabs it meanwhile."""
    for port in range(20000 + os.getpid() % 5000, 32000):
        if port not in _taken:
            with socket.socket() as probe:
                try:
                    probe.bind(("127.0.0.1", port))
                except OSError:
                    continue
            _taken.add(port)
            return port
    raise AssertionError("no port is free")


def eventually(condition, what, seconds=WAIT_S):
    """What `condition` returns once it is true. It fails by returning something false or by an AssertionError."""
    end = time.monotonic() + seconds
    while True:
        try:
            seen, why = condition(), ""
        except AssertionError as error:
            seen, why = None, f": {error}"
        if seen:
            return seen
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}{why}")
        time.sleep(0.05)


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body


def send(port, path="/", headers=None, method="GET", timeout=10):
    """One request to a port of 127.0.0.1, on a connection of its own; the status is 0 when there is no answer."""
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        link.request(method, path, headers=headers or {})
        answer = link.getresponse()
        return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read().decode())
    except (OSError, http.client.HTTPException):
        return Answer(0, {}, "")
    finally:
        link.close()


class Service:
    """An HTTP server that says its name. `behave(request)` may answer itself by returning (status, headers, body); the request
    has `path` and `headers`. `seen` counts the requests that came."""

    def __init__(self, name, behave=None, port=0, address="127.0.0.1"):
        self.name, self.behave = name, behave
        self.requests = []  # (path, headers), in order
        service = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # head and body are two writes: the second one would wait 40 ms for a late ACK

            def do_GET(self):
                service.requests.append((self.path, {k.lower(): v for k, v in self.headers.items()}))
                behave = service.behave
                status, headers, body = (behave and behave(self)) or (200, {}, service.name)
                data = body.encode()
                self.send_response(status)
                for key, value in headers.items():
                    self.send_header(key, value)
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_POST = do_GET

            def log_message(self, *arguments):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *arguments):
                pass  # a client that went away

        self.server = Server((address, port), Handler)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    @property
    def seen(self):
        return len(self.requests)

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Proxy:
    """A dataplane with its kuma-dp and Envoy."""

    def __init__(self, name, process, admin, outbounds, service, inbound=0):
        self.name, self.process, self.admin, self.inbound = name, process, admin, inbound
        self.outbounds = outbounds  # service -> port
        self.service = service      # what runs behind it, or None

    def send(self, to, path="/", headers=None, **named):
        return send(self.outbounds[to], path, headers, **named)

    def stat(self, name):
        """A counter or gauge of Envoy; 0 when it has none of that name."""
        for line in send(self.admin, f"/stats?filter=^{name}$").body.splitlines():
            if line.startswith(f"{name}: "):
                return int(line.rsplit(" ", 1)[1])
        return 0

    def config(self):
        return send(self.admin, "/config_dump").body


class Mesh:
    """One control plane in the mode standalone with an empty mesh `default`, and whatever is started in it."""

    def __init__(self, env=None):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="kuma-mesh-"))
        self.ports = {name: free_port() for name in ("api", "api-tls", "dp", "diag", "mads", "intercp")}
        self.running, self.services = [], []
        try:
            self._start_control_plane(env or {})
        except BaseException:
            self.close()
            raise

    def _start_control_plane(self, env):
        p = self.ports
        self.start("kuma-cp", [BIN / "kuma-cp", "run"], {
            "KUMA_ENVIRONMENT": "universal", "KUMA_MODE": "standalone", "KUMA_STORE_TYPE": "memory",
            "KUMA_GENERAL_WORK_DIR": str(self.dir / "cp"),
            "KUMA_API_SERVER_HTTP_INTERFACE": "127.0.0.1", "KUMA_API_SERVER_HTTP_PORT": str(p["api"]),
            "KUMA_API_SERVER_HTTPS_INTERFACE": "127.0.0.1", "KUMA_API_SERVER_HTTPS_PORT": str(p["api-tls"]),
            "KUMA_DP_SERVER_PORT": str(p["dp"]), "KUMA_DIAGNOSTICS_SERVER_PORT": str(p["diag"]),
            "KUMA_MONITORING_ASSIGNMENT_SERVER_PORT": str(p["mads"]), "KUMA_INTER_CP_SERVER_PORT": str(p["intercp"]),
            "KUMA_DP_SERVER_AUTHN_DP_PROXY_TYPE": "none", **env})
        eventually(lambda: send(p["api"], "/meshes/default").status == 200, "the control plane is up")

    def start(self, name, command, env=None):
        log = open(self.dir / f"{name}.log", "wb")
        clean = {k: v for k, v in os.environ.items() if not k.startswith("KUMA_")}
        process = subprocess.Popen([str(part) for part in command], stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                   env={**clean, "TMPDIR": str(self.dir), **(env or {})})
        log.close()
        self.running.append(process)
        return process

    def log(self, name):
        return (self.dir / f"{name}.log").read_text(errors="replace")

    # Resources

    def call(self, method, path, body=None):
        link = http.client.HTTPConnection("127.0.0.1", self.ports["api"], timeout=10)
        try:
            link.request(method, path, body=None if body is None else json.dumps(body), headers={"content-type": "application/json"})
            answer = link.getresponse()
            return answer.status, answer.read().decode()
        finally:
            link.close()

    def put(self, path, resource):
        """`path`: "meshretries/again" in the mesh, or "/meshes/default" of all."""
        status, body = self.call("PUT", path if path.startswith("/") else f"/meshes/default/{path}", resource)
        if status not in (200, 201):
            raise AssertionError(f"PUT {path}: {status} {body}")

    def policy(self, plural, kind, name, spec):
        self.put(f"{plural}/{name}", {"type": kind, "mesh": "default", "name": name, "spec": spec})

    def delete(self, path):
        status, body = self.call("DELETE", f"/meshes/default/{path}")
        if status != 200:
            raise AssertionError(f"DELETE {path}: {status} {body}")

    # Proxies

    def service(self, name, behave=None):
        self.services.append(Service(name, behave))
        return self.services[-1]

    def proxy(self, name, service, tags=None, outbounds=(), behave=None, protocol="http", application=True):
        """Starts an application (an HTTP service that says the proxy's name) with its proxy, and waits until Envoy has its
        first configuration. `outbounds` are services, or dictionaries of tags."""
        app = self.service(name, behave) if application else None
        inbound, admin = free_port(), free_port()
        ports, entries = {}, []
        for outbound in outbounds:
            tags_to = outbound if isinstance(outbound, dict) else {"kuma.io/service": outbound}
            port = free_port()
            ports[tags_to["kuma.io/service"]] = port
            entries.append({"port": port, "tags": tags_to})
        return self._start_proxy(name, admin, ports, app, {
            "inbound": [{"port": inbound, "servicePort": app.port if app else free_port(), "serviceAddress": "127.0.0.1",
                         "tags": {"kuma.io/service": service, "kuma.io/protocol": protocol, **(tags or {})}}],
            "outbound": entries})

    def gateway(self, name, service, tags=None):
        """Starts the proxy of a builtin gateway, whose MeshGateway says what it listens on."""
        return self._start_proxy(name, free_port(), {}, None, {
            "gateway": {"type": "BUILTIN", "tags": {"kuma.io/service": service, **(tags or {})}}})

    def _start_proxy(self, name, admin, ports, app, networking):
        dataplane = {"type": "Dataplane", "mesh": "default", "name": name,
                     "networking": {"address": "127.0.0.1", "admin": {"port": admin}, **networking}}
        (self.dir / f"{name}.json").write_text(json.dumps(dataplane))
        process = self.start(name, [
            BIN / "kuma-dp", "run", f"--cp-address=https://127.0.0.1:{self.ports['dp']}",
            f"--ca-cert-file={self.dir}/cp/kuma-cp.crt", "--dns-enabled=false",
            f"--dataplane-file={self.dir / (name + '.json')}", f"--binary-path={ENVOY}", "--concurrency=1", "--drain-time=1s"],
            {"KUMA_READINESS_PORT": str(free_port())})
        inbounds = networking.get("inbound")
        proxy = Proxy(name, process, admin, ports, app, inbounds[0]["port"] if inbounds else 0)
        try:
            eventually(lambda: send(admin, "/ready").status == 200, f"the Envoy of {name} is ready")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log(name)[-3000:]}\n{self.log('kuma-cp')[-2000:]}") from None
        return proxy

    def reaches(self, client, service, instances=1):
        """Waits until requests of a proxy reach `instances` instances of a service."""
        def names():
            answers = [client.send(service) for _ in range(4 * instances)]
            return len({a.body for a in answers if a.status == 200}) >= instances
        eventually(names, f"{client.name} reaches {instances} of {service}")

    def close(self):
        for process in self.running[1:]:
            if process.poll() is None:
                process.kill()  # Envoy dies with its kuma-dp
        for process in self.running:
            if process.poll() is None:
                process.kill()
            process.wait()
        for service in self.services:
            service.close()
        shutil.rmtree(self.dir, ignore_errors=True)
