# shellcheck shell=bash
# What was found, as Markdown.

titles() {
  case $1 in
    delay) printf 'Delay from a change to the write that it causes' ;;
    writes) printf 'Writes of one update of one Web component' ;;
    ready) printf 'Time to Ready' ;;
    previews) printf 'Previews of pull requests' ;;
    memory) printf 'Memory of the controller' ;;
    secrets) printf 'Memory of a watched Secret' ;;
    size) printf 'Size of the image' ;;
  esac
}

report() {
  printf '# Measured\n\nWritten by `make bench`; do not edit.\n\n'
  conditions
  fragments delay ready previews memory secrets size
}

fragments() {
  local part
  for part in "$@"; do
    fragment "$part" "$([ "$part" = delay ] && printf delays || printf '%s' "$part")"
    [ "$part" != delay ] || fragment writes writes
  done
}

fragment() {
  [ ! -s "$work/$2.md" ] || printf '\n## %s\n\n%s\n' "$(titles "$1")" "$(<"$work/$2.md")"
}

conditions() {
  local cpu memory
  cpu=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)
  memory=$(($(sed -n 's/^MemTotal:[^0-9]*\([0-9]*\) kB/\1/p' /proc/meminfo) / 1048576))
  printf '| | |\n|---|---|\n'
  printf '| date | %s |\n' "$(date -u +%Y-%m-%d)"
  printf '| commit | %s |\n' "$(git -C "$checkout" describe --always --dirty --abbrev=12)"
  printf '| machine | %s cores (%s), %s GiB, Linux %s |\n' "$(nproc)" "$cpu" "$memory" "$(uname -r)"
  printf '| machine at rest | %sload average before: %s |\n' "$(disturbed)" "$load"
  printf '| cluster | Kubernetes %s, one node and all of the control plane on this machine; etcd without fsync; kube-controller-manager at 500 requests a second |\n' \
    "$kubernetes_version"
  printf '| peers | Argo Rollouts 1.9.1 as it comes (40 requests a second), and "raised" to 1,000; simulated nodes by kwok 0.8.0 |\n'
  printf '| method | delays from the audit log of the one apiserver: arrival of the caused write minus the answer to the change; one object of each controller, changed in turn, nothing else under way |\n'
}
