#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace kuma::config {

// `runtime.kubernetes`: settings of the injector and the controllers.

struct ContainerProbe {
  int32_t initial_delay_seconds = 1;
  int32_t timeout_seconds = 3;
  int32_t period_seconds = 5;
  int32_t success_threshold = 1;
  int32_t failure_threshold = 12;
};

struct SidecarContainer {
  std::string image = "kuma/kuma-dp:latest";
  int32_t uid = 5678;
  int32_t gid = 5678;
  uint32_t admin_port = 0;
  std::chrono::nanoseconds drain_time = std::chrono::seconds(30);
  ContainerProbe readiness_probe;
  ContainerProbe liveness_probe{.initial_delay_seconds = 60};
  struct Resources {
    std::string cpu;
    std::string memory;
  };
  Resources requests{"50m", "64Mi"};
  Resources limits{"1000m", "512Mi"};
  std::map<std::string, std::string> env_vars;
  uint32_t redirect_port_inbound = 15006;
  uint32_t redirect_port_inbound_v6 = 15010;
  uint32_t redirect_port_outbound = 15001;
  bool wait_for_dataplane_ready = false;
};

struct Injector {
  SidecarContainer sidecar_container;
  std::string init_container_image = "kuma/kuma-init:latest";
  std::vector<std::string> container_patches;
  bool cni_enabled = false;
  bool virtual_probes_enabled = true;
  uint32_t virtual_probes_port = 9000;
  std::vector<uint32_t> exclude_inbound_ports;
  std::vector<uint32_t> exclude_outbound_ports;
  std::map<std::string, std::string> exception_labels{{"openshift.io/build.name", "*"},
                                                      {"openshift.io/deployer-pod-for.name", "*"}};
  std::string ca_cert_file;
  bool builtin_dns_enabled = true;
  uint32_t builtin_dns_port = 15053;
  struct Ebpf {
    bool enabled = false;
    std::string instance_ip_env_var_name = "INSTANCE_IP";
    std::string bpffs_path = "/sys/fs/bpf";
    std::string cgroup_path = "/sys/fs/cgroup";
    std::string tc_attach_iface;
    std::string programs_source_path = "/kuma/ebpf";
  } ebpf;
  std::vector<std::string> ignored_service_selector_labels;
};

struct KubernetesRuntime {
  struct AdmissionServer {
    std::string address;
    uint32_t port = 5443;
    std::string cert_dir;
  } admission_server;
  Injector injector;
  std::chrono::nanoseconds marshaling_cache_expiration_time = std::chrono::minutes(5);
  std::string service_account_name = "system:serviceaccount:kuma-system:kuma-control-plane";
  std::vector<std::string> allowed_users;
  std::string control_plane_service_name = "kuma-control-plane";
  struct NodeTaintController {
    bool enabled = false;
    std::string cni_app;
    std::string cni_namespace = "kube-system";
  } node_taint_controller;
  int32_t pod_controller_concurrency = 10;
  int32_t client_qps = 100;
  int32_t client_burst_qps = 100;
  std::chrono::nanoseconds leader_election_lease_duration = std::chrono::seconds(15);
  std::chrono::nanoseconds leader_election_renew_deadline = std::chrono::seconds(10);
};

}  // namespace kuma::config
