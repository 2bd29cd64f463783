# shellcheck shell=bash
# The bridge that the pods are on, and 127.0.0.1 as a second way to what listens on the node's address.

network() {
  if ! ip link show "$bridge" >/dev/null 2>&1; then
    ip link add "$bridge" type bridge
    # Else the bridge takes the lowest address of its ports, and changes it with every pod.
    ip link set "$bridge" address 0a:58:c6:12:00:01
  fi
  # No grep -q in a pipe: it ends early, and the writer's failure to write would count.
  ip addr show dev "$bridge" | grep -F "inet $node_ip/16" >/dev/null || ip addr add "$node_ip/16" dev "$bridge"
  ip link set "$bridge" up
  sysctl_set net/ipv4/ip_forward 1
  # Answers from one pod to another through a Service must pass the node to be translated back.
  [ ! -e /proc/sys/net/bridge/bridge-nf-call-iptables ] || sysctl_set net/bridge/bridge-nf-call-iptables 1
  loopback_door
}

# Remembers what was there before, for cluster/down.
sysctl_set() {
  local file=/proc/sys/$1 was
  was=$(cat "$file")
  [ "$was" != "$2" ] || return 0
  mkdir -p "$state/sysctl"
  [ -e "$state/sysctl/${1//\//.}" ] || printf '%s %s\n' "$file" "$was" >"$state/sysctl/${1//\//.}"
  printf '%s\n' "$2" >"$file"
}

# Each server takes one address, and pods cannot reach 127.0.0.1; so all listen on the node's address, which exists on
# this machine only, and calls to 127.0.0.1 are led there.
loopback_door() {
  nft -f - <<NFT
table ip towpath
delete table ip towpath
table ip towpath {
  chain output {
    type nat hook output priority -110; policy accept;
    ip daddr 127.0.0.1 tcp dport { $api_port, $registry_port, $http_port, $https_port } dnat to $node_ip
  }
  # Only this machine may speak to the range: no one on its network is led in by a route.
  chain prerouting {
    type filter hook prerouting priority raw; policy accept;
    iifname != { "lo", "$bridge" } iifname != "veth*" ip daddr { $pod_cidr, $service_cidr } drop
  }
}
NFT
}

network_down() {
  local table
  for table in "ip towpath" "ip kube-proxy" "ip6 kube-proxy" "inet cni_hostport"; do
    # shellcheck disable=SC2086
    nft delete table $table 2>/dev/null || true
  done
  pod_links | while read -r link; do ip link del "$link" 2>/dev/null || true; done
  ip link del "$bridge" 2>/dev/null || true
  rm -rf /var/lib/cni/networks/towpath /var/lib/cni/results/towpath-*
  rmdir /var/lib/cni/networks /var/lib/cni/results /var/lib/cni 2>/dev/null || true
  local was
  for was in "$state"/sysctl/*; do
    [ -e "$was" ] || continue
    read -r file value <"$was"
    printf '%s\n' "$value" >"$file"
  done
}

# The host's ends of the pods' links.
pod_links() {
  ip -o link show master "$bridge" 2>/dev/null | sed -n 's/^[0-9]*: \(veth[^@:]*\).*/\1/p'
}
