# shellcheck shell=bash
# What the parts share. Paths, steps and builds are those of the local cluster.

# shellcheck source=/dev/null
. "$(dirname "${BASH_SOURCE[0]}")/../../cluster/lib/load.sh"

bench=$checkout/bench
work=$cache/bench
# Processes of the benchmark are apart from the cluster's.
pids=$work/pids
started=()
rounds=${BENCH_ROUNDS:-40}
controller_namespace=${NAMESPACE:-towpath-system}
controller_user=system:serviceaccount:$controller_namespace:towpath
# What makes the run fail at its end, when everything else is measured.
exceeded=
# Looks at what else is at work.
watcher=
export KUBECONFIG=$kubeconfig

for part in prepare peers objects delay ready previews memory size report; do
  # shellcheck source=/dev/null
  . "$bench/lib/$part.sh"
done
unset part

# fill FILE NAME=VALUE...: the file, with each {NAME} replaced.
fill() {
  local text pair
  text=$(<"$bench/manifests/$1")
  shift
  for pair in "$@"; do
    text=${text//"{${pair%%=*}}"/"${pair#*=}"}
  done
  printf '%s\n' "$text"
}

# documents FILE...: as one stream.
documents() {
  local file
  for file in "$@"; do printf -- '---\n'; cat "$file"; done
}

apply() { kubectl apply --server-side --force-conflicts -f -; }

# median NUMBER...
median() { printf '%s\n' "$@" | sort -n | sed -n "$((($# + 1) / 2))p"; }

# Two runs would measure each other.
take_bench_lock() {
  # Number 9 is what daemons do not inherit.
  exec 9>/run/lock/towpath-bench.lock
  flock -n 9 || die "another bench/run is at work"
}
