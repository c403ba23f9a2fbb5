#include "config/fields.h"

namespace kuma::config {
namespace {

void add_sidecar_container(FieldList& list, SidecarContainer& sidecar) {
  list.add("runtime.kubernetes.injector.sidecarContainer.image",
           "KUMA_RUNTIME_KUBERNETES_INJECTOR_SIDECAR_CONTAINER_IMAGE", &sidecar.image);
  list.add("runtime.kubernetes.injector.sidecarContainer.uid", "KUMA_RUNTIME_KUBERNETES_INJECTOR_SIDECAR_CONTAINER_UID",
           &sidecar.uid);
  list.add("runtime.kubernetes.injector.sidecarContainer.gid", "KUMA_RUNTIME_KUBERNETES_INJECTOR_SIDECAR_CONTAINER_GUI",
           &sidecar.gid);
  list.add("runtime.kubernetes.injector.sidecarContainer.adminPort",
           "KUMA_RUNTIME_KUBERNETES_INJECTOR_SIDECAR_CONTAINER_ADMIN_PORT", &sidecar.admin_port);
  list.add("runtime.kubernetes.injector.sidecarContainer.drainTime",
           "KUMA_RUNTIME_KUBERNETES_INJECTOR_SIDECAR_CONTAINER_DRAIN_TIME", &sidecar.drain_time);
  list.add("runtime.kubernetes.injector.sidecarContainer.readinessProbe.initialDelaySeconds",
           "KUMA_RUNTIME_KUBERNETES_INJECTOR_SIDECAR_CONTAINER_READINESS_PROBE_INITIAL_DELAY_SECONDS",
           &sidecar.readiness_probe.initial_delay_seconds);
  list.add("runtime.kubernetes.injector.sidecarContainer.readinessProbe.timeoutSeconds",
           "KUMA_RUNTIME_KUBERNETES_INJECTOR_SIDECAR_CONTAINER_READINESS_PROBE_TIMEOUT_SECONDS",
           &sidecar.readiness_probe.timeout_seconds);
  list.add("runtime.kubernetes.injector.sidecarContainer.readinessProbe.periodSeconds",
           "KUMA_RUNTIME_KUBERNETES_INJECTOR_SIDECAR_CONTAINER_READINESS_PROBE_PERIOD_SECONDS",
           &sidecar.readiness_probe.period_seconds);
  list.add("runtime.kubernetes.injector.sidecarContainer.readinessProbe.successThreshold",
           "KUMA_RUNTIME_KUBERNETES_INJECTOR_SIDECAR_CONTAINER_READINESS_PROBE_SUCCESS_THRESHOLD",
           &sidecar.readiness_probe.success_threshold);
  list.add("runtime.kubernetes.injector.sidecarContainer.readinessProbe.failureThreshold",
           "KUMA_RUNTIME_KUBERNETES_INJECTOR_SIDECAR_CONTAINER_READINESS_PROBE_FAILURE_THRESHOLD",
           &sidecar.readiness_probe.failure_threshold);
  list.add("runtime.kubernetes.injector.sidecarContainer.livenessProbe.initialDelaySeconds",
           "KUMA_RUNTIME_KUBERNETES_INJECTOR_SIDECAR_CONTAINER_LIVENESS_PROBE_INITIAL_DELAY_SECONDS",
           &sidecar.liveness_probe.initial_delay_seconds);
  list.add("runtime.kubernetes.injector.sidecarContainer.livenessProbe.timeoutSeconds",
           "KUMA_RUNTIME_KUBERNETES_INJECTOR_SIDECAR_CONTAINER_LIVENESS_PROBE_TIMEOUT_SECONDS",
           &sidecar.liveness_probe.timeout_seconds);
  list.add("runtime.kubernetes.injector.sidecarContainer.livenessProbe.periodSeconds",
           "KUMA_RUNTIME_KUBERNETES_INJECTOR_SIDECAR_CONTAINER_LIVENESS_PROBE_PERIOD_SECONDS",
           &sidecar.liveness_probe.period_seconds);
  list.add("runtime.kubernetes.injector.sidecarContainer.livenessProbe.failureThreshold",
           "KUMA_RUNTIME_KUBERNETES_INJECTOR_SIDECAR_CONTAINER_LIVENESS_PROBE_FAILURE_THRESHOLD",
           &sidecar.liveness_probe.failure_threshold);
  list.add("runtime.kubernetes.injector.sidecarContainer.resources.requests.cpu",
           "KUMA_INJECTOR_SIDECAR_CONTAINER_RESOURCES_REQUESTS_CPU", &sidecar.requests.cpu);
  list.add("runtime.kubernetes.injector.sidecarContainer.resources.requests.memory",
           "KUMA_INJECTOR_SIDECAR_CONTAINER_RESOURCES_REQUESTS_MEMORY", &sidecar.requests.memory);
  list.add("runtime.kubernetes.injector.sidecarContainer.resources.limits.cpu",
           "KUMA_INJECTOR_SIDECAR_CONTAINER_RESOURCES_LIMITS_CPU", &sidecar.limits.cpu);
  list.add("runtime.kubernetes.injector.sidecarContainer.resources.limits.memory",
           "KUMA_INJECTOR_SIDECAR_CONTAINER_RESOURCES_LIMITS_MEMORY", &sidecar.limits.memory);
  list.add("runtime.kubernetes.injector.sidecarContainer.envVars",
           "KUMA_RUNTIME_KUBERNETES_INJECTOR_SIDECAR_CONTAINER_ENV_VARS", &sidecar.env_vars);
  list.add("runtime.kubernetes.injector.sidecarContainer.redirectPortInbound",
           "KUMA_RUNTIME_KUBERNETES_INJECTOR_SIDECAR_CONTAINER_REDIRECT_PORT_INBOUND", &sidecar.redirect_port_inbound);
  list.add("runtime.kubernetes.injector.sidecarContainer.redirectPortInboundV6",
           "KUMA_RUNTIME_KUBERNETES_INJECTOR_SIDECAR_CONTAINER_REDIRECT_PORT_INBOUND_V6",
           &sidecar.redirect_port_inbound_v6);
  list.add("runtime.kubernetes.injector.sidecarContainer.redirectPortOutbound",
           "KUMA_RUNTIME_KUBERNETES_INJECTOR_SIDECAR_CONTAINER_REDIRECT_PORT_OUTBOUND",
           &sidecar.redirect_port_outbound);
  list.add("runtime.kubernetes.injector.sidecarContainer.waitForDataplaneReady",
           "KUMA_RUNTIME_KUBERNETES_INJECTOR_SIDECAR_CONTAINER_WAIT_FOR_DATAPLANE_READY",
           &sidecar.wait_for_dataplane_ready);
}

void add_injector(FieldList& list, Injector& injector) {
  list.add("runtime.kubernetes.injector.initContainer.image", "KUMA_INJECTOR_INIT_CONTAINER_IMAGE",
           &injector.init_container_image);
  list.add("runtime.kubernetes.injector.containerPatches", "KUMA_RUNTIME_KUBERNETES_INJECTOR_CONTAINER_PATCHES",
           &injector.container_patches);
  list.add("runtime.kubernetes.injector.cniEnabled", "KUMA_RUNTIME_KUBERNETES_INJECTOR_CNI_ENABLED",
           &injector.cni_enabled);
  list.add("runtime.kubernetes.injector.virtualProbesEnabled", "KUMA_RUNTIME_KUBERNETES_VIRTUAL_PROBES_ENABLED",
           &injector.virtual_probes_enabled);
  list.add("runtime.kubernetes.injector.virtualProbesPort", "KUMA_RUNTIME_KUBERNETES_VIRTUAL_PROBES_PORT",
           &injector.virtual_probes_port);
  list.add("runtime.kubernetes.injector.sidecarTraffic.excludeInboundPorts",
           "KUMA_RUNTIME_KUBERNETES_SIDECAR_TRAFFIC_EXCLUDE_INBOUND_PORTS", &injector.exclude_inbound_ports);
  list.add("runtime.kubernetes.injector.sidecarTraffic.excludeOutboundPorts",
           "KUMA_RUNTIME_KUBERNETES_SIDECAR_TRAFFIC_EXCLUDE_OUTBOUND_PORTS", &injector.exclude_outbound_ports);
  list.add("runtime.kubernetes.injector.exceptions.labels", "KUMA_RUNTIME_KUBERNETES_EXCEPTIONS_LABELS",
           &injector.exception_labels);
  list.add("runtime.kubernetes.injector.caCertFile", "KUMA_RUNTIME_KUBERNETES_INJECTOR_CA_CERT_FILE",
           &injector.ca_cert_file);
  list.add("runtime.kubernetes.injector.builtinDNS.enabled", "KUMA_RUNTIME_KUBERNETES_INJECTOR_BUILTIN_DNS_ENABLED",
           &injector.builtin_dns_enabled);
  list.add("runtime.kubernetes.injector.builtinDNS.port", "KUMA_RUNTIME_KUBERNETES_INJECTOR_BUILTIN_DNS_PORT",
           &injector.builtin_dns_port);
  list.add("runtime.kubernetes.injector.ebpf.enabled", "KUMA_RUNTIME_KUBERNETES_INJECTOR_EBPF_ENABLED",
           &injector.ebpf.enabled);
  list.add("runtime.kubernetes.injector.ebpf.instanceIPEnvVarName",
           "KUMA_RUNTIME_KUBERNETES_INJECTOR_EBPF_INSTANCE_IP_ENV_VAR_NAME", &injector.ebpf.instance_ip_env_var_name);
  list.add("runtime.kubernetes.injector.ebpf.bpffsPath", "KUMA_RUNTIME_KUBERNETES_INJECTOR_EBPF_BPFFS_PATH",
           &injector.ebpf.bpffs_path);
  list.add("runtime.kubernetes.injector.ebpf.cgroupPath", "KUMA_RUNTIME_KUBERNETES_INJECTOR_EBPF_CGROUP_PATH",
           &injector.ebpf.cgroup_path);
  list.add("runtime.kubernetes.injector.ebpf.tcAttachIface", "KUMA_RUNTIME_KUBERNETES_INJECTOR_EBPF_TC_ATTACH_IFACE",
           &injector.ebpf.tc_attach_iface);
  list.add("runtime.kubernetes.injector.ebpf.programsSourcePath",
           "KUMA_RUNTIME_KUBERNETES_INJECTOR_EBPF_PROGRAMS_SOURCE_PATH", &injector.ebpf.programs_source_path);
  list.add("runtime.kubernetes.injector.ignoredServiceSelectorLabels",
           "KUMA_RUNTIME_KUBERNETES_INJECTOR_IGNORED_SERVICE_SELECTOR_LABELS",
           &injector.ignored_service_selector_labels);
}

void add_kubernetes(FieldList& list, KubernetesRuntime& kubernetes) {
  list.add("runtime.kubernetes.admissionServer.address", "KUMA_RUNTIME_KUBERNETES_ADMISSION_SERVER_ADDRESS",
           &kubernetes.admission_server.address);
  list.add("runtime.kubernetes.admissionServer.port", "KUMA_RUNTIME_KUBERNETES_ADMISSION_SERVER_PORT",
           &kubernetes.admission_server.port);
  list.add("runtime.kubernetes.admissionServer.certDir", "KUMA_RUNTIME_KUBERNETES_ADMISSION_SERVER_CERT_DIR",
           &kubernetes.admission_server.cert_dir);
  list.add("runtime.kubernetes.marshalingCacheExpirationTime",
           "KUMA_RUNTIME_KUBERNETES_MARSHALING_CACHE_EXPIRATION_TIME", &kubernetes.marshaling_cache_expiration_time);
  list.add("runtime.kubernetes.serviceAccountName", "KUMA_RUNTIME_KUBERNETES_SERVICE_ACCOUNT_NAME",
           &kubernetes.service_account_name);
  list.add("runtime.kubernetes.allowedUsers", "KUMA_RUNTIME_KUBERNETES_ALLOWED_USERS", &kubernetes.allowed_users)
      .mark_null_when_empty();
  list.add("runtime.kubernetes.controlPlaneServiceName", "KUMA_RUNTIME_KUBERNETES_CONTROL_PLANE_SERVICE_NAME",
           &kubernetes.control_plane_service_name);
  list.add("runtime.kubernetes.nodeTaintController.enabled", "KUMA_RUNTIME_KUBERNETES_NODE_TAINT_CONTROLLER_ENABLED",
           &kubernetes.node_taint_controller.enabled);
  list.add("runtime.kubernetes.nodeTaintController.cniApp", "KUMA_RUNTIME_KUBERNETES_NODE_TAINT_CONTROLLER_CNI_APP",
           &kubernetes.node_taint_controller.cni_app);
  list.add("runtime.kubernetes.nodeTaintController.cniNamespace",
           "KUMA_RUNTIME_KUBERNETES_NODE_TAINT_CONTROLLER_CNI_NAMESPACE",
           &kubernetes.node_taint_controller.cni_namespace);
  list.add("runtime.kubernetes.controllersConcurrency.podController",
           "KUMA_RUNTIME_KUBERNETES_CONTROLLERS_CONCURRENCY_POD_CONTROLLER", &kubernetes.pod_controller_concurrency);
  list.add("runtime.kubernetes.clientConfig.qps", "KUMA_RUNTIME_KUBERNETES_CLIENT_CONFIG_QPS", &kubernetes.client_qps);
  list.add("runtime.kubernetes.clientConfig.burstQps", "KUMA_RUNTIME_KUBERNETES_CLIENT_CONFIG_BURST_QPS",
           &kubernetes.client_burst_qps);
  list.add("runtime.kubernetes.leaderElection.leaseDuration", "KUMA_RUNTIME_KUBERNETES_LEADER_ELECTION_LEASE_DURATION",
           &kubernetes.leader_election_lease_duration);
  list.add("runtime.kubernetes.leaderElection.renewDeadline", "KUMA_RUNTIME_KUBERNETES_LEADER_ELECTION_RENEW_DEADLINE",
           &kubernetes.leader_election_renew_deadline);
}

}  // namespace

// Settings of the platform that kuma-cp runs on.
void add_runtime_fields(FieldList& list, Config& config) {
  add_kubernetes(list, config.runtime.kubernetes);
  add_injector(list, config.runtime.kubernetes.injector);
  add_sidecar_container(list, config.runtime.kubernetes.injector.sidecar_container);
  list.add("runtime.universal.dataplaneCleanupAge", "KUMA_RUNTIME_UNIVERSAL_DATAPLANE_CLEANUP_AGE",
           &config.runtime.universal.dataplane_cleanup_age);
}

}  // namespace kuma::config
