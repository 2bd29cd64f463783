# shellcheck shell=bash
# What a node runs: containerd, kubelet, kube-proxy; and the names of the cluster.

containerd_socket=$state/containerd.sock

node_configuration() {
  mkdir -p "$conf/cni" "$conf/registries/$registry" "$conf/registries/127.0.0.1:$registry_port" "$conf/manifests"
  local host
  for host in "$registry" "127.0.0.1:$registry_port"; do
    write "$conf/registries/$host/hosts.toml" <<TOML
server = "http://$host"
[host."http://$host"]
  capabilities = ["pull", "resolve"]
TOML
  done
  write "$conf/cni/10-towpath.conflist" <<JSON
{
  "cniVersion": "1.0.0",
  "name": "towpath",
  "plugins": [
    {"type": "bridge", "bridge": "$bridge", "isGateway": true, "hairpinMode": true, "ipMasq": false,
     "ipam": {"type": "host-local", "ranges": [[{"subnet": "$pod_cidr", "rangeStart": "198.18.1.1", "gateway": "$node_ip"}]],
              "routes": [{"dst": "0.0.0.0/0"}]}},
    {"type": "portmap", "capabilities": {"portMappings": true}, "backend": "nftables"}
  ]
}
JSON
  # restrict_oom_score_adj: where the machine withholds CAP_SYS_RESOURCE, no sandbox starts without it.
  write "$conf/containerd.toml" <<TOML
version = 3
root = "$state/containerd"
state = "$state/containerd-run"
disabled_plugins = ["io.containerd.nri.v1.nri", "io.containerd.tracing.processor.v1.otlp", "io.containerd.internal.v1.tracing"]
[grpc]
  address = "$containerd_socket"
[plugins."io.containerd.cri.v1.images"]
  snapshotter = "overlayfs"
  max_concurrent_downloads = 8
  [plugins."io.containerd.cri.v1.images".pinned_images]
    sandbox = "$registry/pause:1"
  [plugins."io.containerd.cri.v1.images".registry]
    config_path = "$conf/registries"
[plugins."io.containerd.cri.v1.runtime"]
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.cri.v1.runtime".cni]
    bin_dirs = ["$bin"]
    conf_dir = "$conf/cni"
  [plugins."io.containerd.cri.v1.runtime".containerd]
    default_runtime_name = "runc"
    [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
        BinaryName = "$bin/runc"
        SystemdCgroup = false
TOML
  # failCgroupV1 matters on machines with the old hierarchy only.
  write "$conf/kubelet.yaml" <<YAML
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: $node_ip
port: 10250
readOnlyPort: 0
healthzBindAddress: 127.0.0.1
authentication:
  anonymous: {enabled: false}
  webhook: {enabled: true}
  x509: {clientCAFile: $pki/ca.crt}
authorization: {mode: Webhook}
tlsCertFile: $pki/kubelet-serving.crt
tlsPrivateKeyFile: $pki/kubelet-serving.key
containerRuntimeEndpoint: unix://$containerd_socket
cgroupDriver: cgroupfs
failCgroupV1: false
failSwapOn: false
localStorageCapacityIsolation: true
resolvConf: ""
clusterDomain: cluster.local
clusterDNS: [$node_ip]
maxPods: 250
makeIPTablesUtilChains: false
podPidsLimit: -1
serializeImagePulls: false
registryPullQPS: 0
eventRecordQPS: 0
kubeAPIQPS: 500
kubeAPIBurst: 1000
imageGCHighThresholdPercent: 100
evictionHard: {memory.available: 50Mi, nodefs.available: 1%, imagefs.available: 1%, nodefs.inodesFree: 1%}
podLogsDir: $state/pod-logs
volumePluginDir: $state/volume-plugins
nodeStatusUpdateFrequency: 5s
YAML
  write "$conf/kube-proxy.yaml" <<YAML
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: nftables
clusterCIDR: $pod_cidr
hostnameOverride: $node
bindAddress: $node_ip
metricsBindAddress: 127.0.0.1:10249
healthzBindAddress: 127.0.0.1:10256
nodePortAddresses: [$node_ip/32]
clientConnection: {kubeconfig: $pki/kube-proxy.kubeconfig, qps: 200, burst: 400}
nftables: {minSyncPeriod: 100ms, syncPeriod: 30s}
YAML
  # Names of the examples lead to the gateway, so that pods too can ask an app by its host. Nothing else has an answer:
  # the cluster has no way out.
  write "$conf/Corefile" <<COREFILE
cluster.local in-addr.arpa {
  bind $node_ip
  errors
  ready 127.0.0.1:8181
  kubernetes {
    kubeconfig $pki/coredns.kubeconfig
    pods insecure
    ttl 1
  }
}
example.com localhost {
  bind $node_ip
  errors
  template IN A {
    answer "{{ .Name }} 60 IN A $node_ip"
  }
  template IN ANY {
    rcode NOERROR
  }
}
. {
  bind $node_ip
  errors
  template IN ANY {
    rcode NXDOMAIN
  }
}
COREFILE
}

start_containerd() {
  daemon containerd "$conf/containerd.toml" -- containerd --config "$conf/containerd.toml" --log-level warn
}

containerd_ready() { ctr --address "$containerd_socket" version; }

start_kubelet() {
  daemon kubelet "$conf/kubelet.yaml" "$pki/kubelet.says" "$pki/kubelet-serving.says" -- kubelet \
    --config "$conf/kubelet.yaml" --kubeconfig "$pki/kubelet.kubeconfig" --hostname-override "$node" --node-ip "$node_ip" \
    --root-dir "$state/kubelet"
}

node_ready() {
  kubectl --kubeconfig "$pki/admin.kubeconfig" wait --for=condition=Ready "node/$node" --timeout=1s
}

start_kube_proxy() { daemon kube-proxy "$conf/kube-proxy.yaml" "$pki/kube-proxy.says" -- kube-proxy --config "$conf/kube-proxy.yaml"; }

start_coredns() { daemon coredns "$conf/Corefile" "$pki/coredns.says" -- coredns -conf "$conf/Corefile"; }

coredns_ready() { curl -fsS -m 1 http://127.0.0.1:8181/ready; }

# Ends every pod: all that the kubelet started is below these control groups.
pods_down() {
  local dirs=() dir procs _
  while read -r dir; do dirs+=("$dir"); done < <(find /sys/fs/cgroup -type d -name kubepods -not -path '*/kubepods/*' 2>/dev/null)
  for _ in 1 2 3 4 5; do
    [ "${#dirs[@]}" -gt 0 ] || break
    procs=$(find "${dirs[@]}" -name cgroup.procs -exec cat {} + 2>/dev/null | sort -un)
    [ -n "$procs" ] || break
    # shellcheck disable=SC2086
    kill -KILL $procs 2>/dev/null || true
    sleep 0.2
  done
  # The shims, one per pod, are known by their socket's address.
  for _ in 1 2 3 4 5; do
    procs=$(shims)
    [ -n "$procs" ] || break
    # shellcheck disable=SC2086
    kill -KILL $procs 2>/dev/null || true
    sleep 0.1
  done
  [ "${#dirs[@]}" = 0 ] || find "${dirs[@]}" -depth -type d -exec rmdir {} + 2>/dev/null || true
}

shims() {
  local proc
  for proc in /proc/[0-9]*; do
    case $(readlink "$proc/exe" 2>/dev/null) in
      "$bin/containerd-shim-runc-v2"*)
        ! tr '\0' ' ' <"$proc/cmdline" 2>/dev/null | grep -F "$containerd_socket" >/dev/null || printf '%s\n' "${proc#/proc/}" ;;
    esac
  done
}

# Mounts of ours, the pods' network namespaces among them; the deepest first.
mounts() {
  awk -v state="$state/" 'index($5, state) == 1 {print $5}' /proc/self/mountinfo | LC_ALL=C sort -r
}

mounts_down() {
  local mount
  mounts | while read -r mount; do umount -l "$(printf '%b' "$mount")" 2>/dev/null || true; done
}
