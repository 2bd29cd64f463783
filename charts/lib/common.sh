# shellcheck shell=bash
# Paths, names and messages that the scripts of this folder share.

# Used by the files that source this one.
# shellcheck disable=SC2034
{
charts=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
checkout=$(dirname "$charts")
chart=$charts/towpath
dist=$checkout/dist
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' "$checkout/Cargo.toml" | head -n 1)
# Under this name the archive of charts/package is loaded, and the chart's values find it.
archive_name=localhost/towpath:$version
local_kubeconfig=$checkout/.cluster/kubeconfig
local_address=198.18.0.1
local_registry=$local_address:5000
namespace=${NAMESPACE:-towpath-system}
}

export PATH=$checkout/.cluster/bin:$PATH
# Without a KUBECONFIG the cluster is the local one, as in the Makefile.
export KUBECONFIG=${KUBECONFIG:-$local_kubeconfig}
# A proxy of the user is for downloads; what runs on this machine is called directly.
export no_proxy="${no_proxy:+$no_proxy,}127.0.0.1,localhost,$local_address"
export NO_PROXY=$no_proxy

say() { printf '%s\n' "$*"; }
die() { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 1; }

# needs TOOL HOW: a missing tool is named with the way to get it.
needs() { command -v "$1" >/dev/null || die "needs $1: $2"; }
needs_crane() { needs crane "\`make cluster\` builds it, or go install github.com/google/go-containerregistry/cmd/crane@v0.22.1"; }
needs_helm() { needs helm "\`make cluster\` builds it, or https://helm.sh/docs/intro/install (3.17 or newer)"; }
needs_kubectl() { needs kubectl "\`make cluster\` builds it, or https://kubernetes.io/docs/tasks/tools"; }

# step TEXT COMMAND...: one line with the time that it took. What the command says is shown only when it fails.
step() {
  local text=$1 begin=$EPOCHREALTIME output status=0
  shift
  printf '%-58s ' "$text"
  output=$("$@" 2>&1 </dev/null) || status=$?
  local us=$((${EPOCHREALTIME/./} - ${begin/./}))
  printf '%6d.%d s\n' $((us / 1000000)) $((us / 100000 % 10))
  [ "$status" = 0 ] || { printf '%s\n' "$output" >&2; return "$status"; }
}

# Certificate authority of the current context: two clusters never share it, addresses they may.
authority() {
  kubectl config view --raw --minify --flatten -o 'jsonpath={.clusters[0].cluster.certificate-authority-data}' 2>/dev/null
}

# Whether the current context is the local cluster's.
is_local() {
  local here
  here=$(authority) && [ -n "$here" ] && [ "$here" = "$(KUBECONFIG=$local_kubeconfig authority)" ]
}

# The registry that images are pushed to, or one sentence that says what to do.
registry() {
  if [ -n "${REGISTRY:-}" ]; then
    printf '%s' "$REGISTRY"
  elif is_local; then
    printf '%s' "$local_registry"
  elif [ "$KUBECONFIG" = "$local_kubeconfig" ]; then
    die "there is no local cluster: start it with \`make cluster\`, or set KUBECONFIG to your cluster and REGISTRY to a registry that it pulls from"
  else
    die "set REGISTRY to a registry that your cluster pulls from and that you may push to, such as REGISTRY=registry.example.com/team"
  fi
}
