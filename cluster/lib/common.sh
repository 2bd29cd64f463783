# shellcheck shell=bash
# Paths, addresses and messages that every part shares.

# Used by the files that source this one.
# shellcheck disable=SC2034
{
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
checkout=$(dirname "$here")

# One cluster per machine: what is built and what runs belongs to the user, not to a checkout.
cache=${TOWPATH_CLUSTER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/towpath}
bin=$cache/bin
stamps=$cache/stamps
images=$cache/images
registry_storage=$cache/registry
logs=$cache/log
pki=$cache/pki
kubeconfig=$cache/kubeconfig
# Everything below `state` is thrown away by cluster/down.
state=$cache/state
pids=$state/pids
conf=$state/conf
volumes=$state/volumes

# A range for tests that never leaves the machine (RFC 2544).
node=towpath
bridge=cni0
node_ip=198.18.0.1
pod_cidr=198.18.0.0/16
service_cidr=198.19.0.0/16
apiserver_ip=198.19.0.1
api_port=6443
registry_port=5000
http_port=8080
https_port=8443
registry=$node_ip:$registry_port
kubernetes_version=1.36.3
gateway_api_version=v1.2.1

# Where a call finds the cluster that another user or checkout has started, and the lock that both take.
owner_file=/run/towpath-cluster
lock_file=/run/lock/towpath-cluster.lock
}

export LC_ALL=C
PATH=$bin:$PATH:/usr/sbin:/sbin
export PATH
# A proxy of the user is for downloads; what runs on this machine is called directly.
export no_proxy="${no_proxy:+$no_proxy,}127.0.0.1,localhost,$node_ip,$apiserver_ip,198.18.0.0/15"
export NO_PROXY=$no_proxy

say() { printf '%s\n' "$*"; }
warn() { printf '%s\n' "$*" >&2; }
die() { warn "cluster: $*"; exit 1; }

now() { printf '%s' "${EPOCHREALTIME/./}"; }

seconds_since() {
  local us=$(( $(now) - $1 ))
  printf '%d.%d' $((us / 1000000)) $((us / 100000 % 10))
}

# step TEXT COMMAND...: one line, with the time that it took. The command's own output goes to .cluster/log/up.log,
# whose end is shown when it fails. Never call it in a condition: bash would then pass over failures inside of it.
step() {
  local text=$1 begin log=$logs/up.log line code=0
  shift
  begin=$(now)
  touch "$log"
  line=$(wc -l <"$log")
  printf '%-62s ' "$text"
  set +e
  (set -e; "$@") </dev/null >>"$log" 2>&1
  code=$?
  set -e
  printf '%7s s%s\n' "$(seconds_since "$begin")" "$([ "$code" = 0 ] || printf '  failed')"
  if [ "$code" != 0 ]; then
    tail -n +"$((line + 1))" "$log" | tail -n 25 >&2
    warn "the whole log: $log"
  fi
  return "$code"
}

# until_true SECONDS COMMAND...: asks ten times a second.
until_true() {
  local end=$(( $(now) + $1 * 1000000 ))
  shift
  until "$@" >/dev/null 2>&1; do
    [ "$(now)" -lt "$end" ] || { warn "gave up waiting for: $*"; return 1; }
    sleep 0.1
  done
}

# write FILE: standard input becomes the file's content, whole or not at all.
write() {
  cat >"$1.new"
  mv "$1.new" "$1"
}

require_machine() {
  local instead="to use a cluster that you have, set KUBECONFIG to it for \`make install\`, \`make demo\` and the cluster tests."
  [ "$(uname -s)" = Linux ] && command -v apt-get >/dev/null ||
    die "this makes a Kubernetes on Debian Linux only; $instead"
  [ "$(id -u)" = 0 ] || die "this makes a Kubernetes with root's rights only; $instead"
}

# One call at a time. The lock ends with this process: no daemon inherits it (see daemon.sh).
take_lock() {
  mkdir -p "$(dirname "$lock_file")"
  exec 9>"$lock_file"
  if ! flock -n 9; then
    say "another call of cluster/up or cluster/down is at work; waiting for it"
    flock 9
  fi
}
