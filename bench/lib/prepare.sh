# shellcheck shell=bash
# The cluster, the images and the controller; and what else is at work on this machine.

install_towpath() {
  say "== the cluster, the images, Towpath"
  if [ -z "${BENCH_INSTALLED:-}" ]; then
    make --no-print-directory -C "$checkout" cluster shop install
  fi
  kubectl -n "$controller_namespace" rollout status deployment/towpath --timeout 60s >/dev/null ||
    die "Towpath does not run: \`make install\`"
}

prepare() {
  mkdir -p "$work"
  step "take away what a former run has left" clean_up
  rm -rf "$work"
  mkdir -p "$work" "$pids"
  build_bench
  note_conditions
}

build_bench() {
  family kwok "$bench/tools/kwok" 0 tool -ldflags "-s -w"
  family argo-rollouts "$bench/tools/argo-rollouts" 0 tool \
    -ldflags "-s -w -X github.com/argoproj/argo-rollouts/utils/version.version=1.9.1"
  step "build the measuring program" env CGO_ENABLED=0 GOWORK=off go -C "$bench/measure" build -o "$work/measure" .
}

# A figure is worth what the machine's rest is: what disturbs is said, here and in the results.
note_conditions() {
  read -r load _ </proc/loadavg
  others=$(kubectl get environments --all-namespaces --no-headers 2>/dev/null | wc -l)
  [ "$others" = 0 ] || warn "$others other Environments are in the cluster: they count in the controller's memory"
  [ "$(compilers)" = 0 ] || warn "a compiler is at work: the figures will not be good"
  watch_machine </dev/null 9>&- &
  watcher=$!
}

compilers() { cat /proc/[0-9]*/comm 2>/dev/null | grep -cxE 'rustc|cargo|compile|link|clippy-driver|cc1' || true; }

# Every few seconds a line, as long as this run lasts: how many compilers are at work.
watch_machine() {
  while [ -d "$work" ] && kill -0 $$ 2>/dev/null; do
    compilers >>"$work/compilers"
    sleep 5
  done
}

# What disturbed the measurement, or nothing.
disturbed() {
  local looks busy
  looks=$(wc -l <"$work/compilers")
  busy=$(grep -cvx 0 "$work/compilers" || true)
  [ "$busy" = 0 ] || printf '**not at rest**: compilers at work in %d%% of the time; ' $((100 * busy / looks))
  [ "$others" = 0 ] || printf '**not alone**: %d other Environments in the cluster; ' "$others"
}

# A release of the shop, by digest.
shop_image() { printf '%s/shop@%s' "$registry" "$(crane digest --insecure "$registry/shop:$1")"; }
