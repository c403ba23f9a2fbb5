"""The demo's story, step by step."""
import json
import os
import signal
import time

from world import HERE, Failure, Traffic

PROXY_ID = "spiffe://default/frontend"


def start(world):
    """Control plane, two applications, two proxies; traffic passes without encryption."""
    world.say(f"files and logs are in {world.dir}")
    start_control_plane(world)
    world.kumactl("config", "control-planes", "add", "--name", "demo", "--address",
                  f"http://127.0.0.1:{world.ports['api']}", "--overwrite")
    for service in ("frontend", "backend"):
        token = world.kumactl("generate", "dataplane-token", "--tag", f"kuma.io/service={service}", "--valid-for", "24h")
        (world.dir / f"{service}.token").write_text(token)
    start_application(world, "v1")
    start_proxy(world, "backend-1", "backend", version="v1", app=world.ports["app-v1"])
    start_proxy(world, "frontend-1", "frontend", app=world.ports.free(), outbound=world.ports["outbound"])
    world.wait_until("a request passes from frontend to backend, in clear text so far", answers(world), 60, log="frontend-1")


def start_control_plane(world):
    ports = world.ports
    world.start("kuma-cp", world.bin / "kuma-cp", "run", env={
        "KUMA_GENERAL_WORK_DIR": str(world.dir / "cp"),
        "KUMA_API_SERVER_HTTP_PORT": str(ports["api"]),
        "KUMA_API_SERVER_HTTPS_PORT": str(ports["api_tls"]),
        "KUMA_DP_SERVER_PORT": str(ports["dp"]),
        "KUMA_DIAGNOSTICS_SERVER_PORT": str(ports["diagnostics"]),
        "KUMA_MONITORING_ASSIGNMENT_SERVER_PORT": str(ports["mads"]),
        "KUMA_INTER_CP_SERVER_PORT": str(ports["intercp"]),
    })

    def ready():
        status, _ = world.request(f"http://127.0.0.1:{ports['api']}/meshes/default")
        return status == 200, status

    world.wait_until("the control plane is ready", ready, 60, log="kuma-cp")


def start_application(world, version):
    world.start(f"app-{version}", "python3", HERE / "echo.py", world.ports[f"app-{version}"], f"backend {version}")


def start_proxy(world, name, service, **variables):
    variables = {"name": name, "admin": world.ports[f"{name}-admin"], "inbound": world.ports[f"{name}-inbound"], **variables}
    pairs = [part for key, value in variables.items() for part in ("--dataplane-var", f"{key}={value}")]
    world.start(name, world.bin / "kuma-dp", "run",
                f"--cp-address=https://127.0.0.1:{world.ports['dp']}",
                f"--ca-cert-file={world.dir / 'cp/kuma-cp.crt'}",
                f"--dataplane-file={HERE / 'dataplanes' / (service + '.yaml')}",
                f"--dataplane-token-file={world.dir / (service + '.token')}",
                f"--binary-path={world.envoy}",
                "--dns-enabled=false", "--concurrency=1", "--drain-time=5s", *pairs,
                env={"KUMA_READINESS_PORT": str(world.ports[f"{name}-readiness"]), "TMPDIR": str(world.dir)})
    world.say(f"started the proxy {name}")


# What is looked for in an answer

def answers(world):
    def condition():
        status, seen = world.ask_backend()
        return status == 200, seen if status == 200 else f"{status} {seen}"
    return condition


def answers_with_identity(world):
    def condition():
        status, seen = world.ask_backend()
        return status == 200 and PROXY_ID in seen["peer"], f"{status} {seen}"
    return condition


def is_refused(world):
    def condition():
        status, seen = world.ask_backend()
        # Refused is an answer of the proxy's, not a proxy that has gone.
        return status == 503, f"{status} {seen}"
    return condition


def answers_steadily(world):
    """Several times in a row: what was refused a moment ago may pass on one connection and not yet on another."""
    def condition():
        seen = [world.ask_backend() for _ in range(5)]
        return all(status == 200 for status, _ in seen), [status for status, _ in seen]
    return condition


def answers_from_both(world):
    def condition():
        seen = sorted({answer["instance"] for status, answer in (world.ask_backend() for _ in range(8)) if status == 200})
        return seen == ["backend v1", "backend v2"], seen
    return condition


def all_configured(world):
    """Every proxy has a stream to the control plane that runs now, and has acknowledged what came over it."""
    api = f"http://127.0.0.1:{world.ports['api']}"

    def acknowledged(item, instance):
        return any(subscription.get("controlPlaneInstanceId") == instance and "disconnectTime" not in subscription
                   and int(subscription.get("status", {}).get("total", {}).get("responsesAcknowledged", "0")) > 0
                   for subscription in item.get("dataplaneInsight", {}).get("subscriptions", []))

    def condition():
        status, index = world.request(f"{api}/")
        status_list, overviews = world.request(f"{api}/meshes/default/dataplanes+insights")
        if status != 200 or status_list != 200:
            return False, f"{status} {status_list}"
        instance = json.loads(index)["instanceId"]
        configured = sorted(item["name"] for item in json.loads(overviews)["items"] if acknowledged(item, instance))
        proxies = sorted(name for name in world.running if name.startswith(("frontend", "backend")))
        return configured == proxies, f"configured are {configured}"
    return condition


# The chapters

def go_through(world):
    mutual_tls(world)
    permissions(world)
    second_instance(world)
    restart_of_the_control_plane(world)
    clean_stop(world)


def mutual_tls(world):
    traffic = Traffic(world)
    world.kumactl("apply", "-f", HERE / "policies/mtls.yaml")
    seen = world.wait_until("mutual TLS is on: the backend's proxy names its peer", answers_with_identity(world), 30,
                            log="backend-1")
    world.say(f"  {seen}")
    traffic.stop()
    judge(world, traffic, "while mutual TLS was switched on", failures_allowed=traffic.sent // 10)


def permissions(world):
    world.kumactl("delete", "traffic-permission", "allow-all-default")
    world.wait_until("the TrafficPermission is deleted: refused", is_refused(world), 60, log="backend-1")
    world.kumactl("apply", "-f", HERE / "policies/allow-all.yaml")
    world.wait_until("the TrafficPermission is back: allowed", answers_steadily(world), 30, log="backend-1")
    world.kumactl("apply", "-f", HERE / "policies/backend-deny.yaml")
    world.wait_until("a MeshTrafficPermission says Deny: refused", is_refused(world), 60, log="backend-1")
    world.kumactl("apply", "-f", HERE / "policies/backend-allow.yaml")
    world.wait_until("it says Allow: allowed", answers_steadily(world), 30, log="backend-1")


def second_instance(world):
    traffic = Traffic(world)
    start_application(world, "v2")
    start_proxy(world, "backend-2", "backend", version="v2", app=world.ports["app-v2"])
    world.wait_until("a second instance has joined: both answer", answers_from_both(world), 60, log="backend-2")
    traffic.stop()
    judge(world, traffic, "while the second instance joined")


def restart_of_the_control_plane(world):
    envoys = {name: world.envoy_of(name) for name in ("frontend-1", "backend-1", "backend-2")}
    traffic = Traffic(world)
    process = world.running.pop("kuma-cp")
    process.send_signal(signal.SIGKILL)
    process.wait()
    world.say("the control plane is killed (SIGKILL)")
    watch_traffic(world, traffic, 5)
    start_control_plane(world)
    world.wait_until("all proxies are connected and configured again", all_configured(world), 60, log="kuma-cp")
    traffic.stop()
    judge(world, traffic, "while the control plane was killed and restarted")
    # What it said again is what they had; now something new.
    world.kumactl("apply", "-f", HERE / "policies/backend-deny.yaml")
    world.wait_until("the new control plane is obeyed: refused", is_refused(world), 60, log="backend-1")
    world.kumactl("apply", "-f", HERE / "policies/backend-allow.yaml")
    world.wait_until("allowed again", answers_steadily(world), 30, log="backend-1")
    after = {name: world.envoy_of(name) for name in envoys}
    if after != envoys:
        raise Failure(f"Envoys were restarted: {envoys} became {after}", log="frontend-1")


def clean_stop(world):
    """A proxy that is told to stop drains, ends with status 0 and takes its Envoy with it."""
    envoy = world.envoy_of("backend-2")
    process = world.running.pop("backend-2")
    process.terminate()
    begun = time.monotonic()
    while process.poll() is None and time.monotonic() - begun < 30:
        time.sleep(0.1)
    if process.poll() is None:
        world.running["backend-2"] = process
        raise Failure("backend-2 did not end within 30 s of SIGTERM", log="backend-2")
    if process.returncode != 0:
        raise Failure(f"backend-2 ended with status {process.returncode} after SIGTERM", log="backend-2")
    if os.path.exists(f"/proc/{envoy}"):
        raise Failure("backend-2 left its Envoy behind", log="backend-2")
    world.say(f"backend-2 was told to stop: drained and gone, and its Envoy too ({time.monotonic() - begun:.1f}s)")
    world.wait_until("the first instance goes on alone", answers_steadily(world), 30, log="frontend-1")


def watch_traffic(world, traffic, seconds):
    sent = traffic.sent
    time.sleep(seconds)
    world.check_running()
    world.say(f"  {traffic.sent - sent} requests in {seconds} s without a control plane, {len(traffic.failures)} failed")


def judge(world, traffic, when, failures_allowed=0):
    world.say(f"  {traffic.sent} requests {when}, {len(traffic.failures)} failed")
    if len(traffic.failures) > failures_allowed:
        raise Failure(f"{len(traffic.failures)} of {traffic.sent} requests failed {when}: {traffic.failures[0]}",
                      log="frontend-1")


# For a person

def invite(world):
    start_application(world, "v2")
    start_proxy(world, "backend-2", "backend", version="v2", app=world.ports["app-v2"])
    world.kumactl("apply", "-f", HERE / "policies/mtls.yaml")
    world.wait_until("mutual TLS is on", answers_with_identity(world), 30, log="backend-1")
    world.wait_until("two instances answer", answers_from_both(world), 60, log="backend-2")
    env = world.dir / "env.sh"
    env.write_text(
        f"kumactl() {{ '{world.bin}/kumactl' --config-file '{world.dir}/kumactl.config' \"$@\"; }}\n"
        f"ask() {{ curl -s -w ' [%{{http_code}}]\\n' http://127.0.0.1:{world.ports['outbound']}/; }}\n"
        f"demo='{HERE}'\n")
    print(f"""
Running: a control plane (http://127.0.0.1:{world.ports['api']}), backend v1 and v2 behind an Envoy each, and the Envoy of a
frontend. In another shell:

  . {env}
  ask                                                      # a request from frontend to backend, and whom its proxy saw
  kumactl inspect dataplanes                               # who is there
  kumactl delete traffic-permission allow-all-default      # then ask: refused, once open connections have been drained (5 s)
  kumactl apply -f $demo/policies/allow-all.yaml           # allowed again
  kumactl apply -f $demo/policies/backend-deny.yaml        # the newer kind of policy; backend-allow.yaml undoes it
  kumactl get meshes -o yaml
  curl -s http://127.0.0.1:{world.ports['frontend-1-admin']}/config_dump | less      # what the frontend's Envoy was told

Logs: {world.dir}. Ctrl-C ends it all.
""", flush=True)
