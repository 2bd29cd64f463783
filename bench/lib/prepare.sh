# shellcheck shell=bash
# The cluster, the images and the controller; and what else is at work on this machine.

prepare() {
  say "== the cluster, the images, Towpath"
  if [ -z "${BENCH_INSTALLED:-}" ]; then
    make --no-print-directory -C "$checkout" cluster shop install
  fi
  kubectl -n "$controller_namespace" rollout status deployment/towpath --timeout 60s >/dev/null ||
    die "Towpath does not run: \`make install\`"
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
  local compilers others
  read -r load _ </proc/loadavg
  compilers=$(ps -eo comm= | grep -cxE 'rustc|cargo|compile|link|clippy-driver' || true)
  others=$(kubectl get environments --all-namespaces --no-headers 2>/dev/null | wc -l)
  disturbed=
  [ "$compilers" = 0 ] || disturbed="$compilers compilers are at work"
  [ "$others" = 0 ] || disturbed="${disturbed:+$disturbed, }$others other Environments are in the cluster"
  [ -z "$disturbed" ] || warn "the figures will not be good: $disturbed"
}

# A release of the shop, by digest.
shop_image() { printf '%s/shop@%s' "$registry" "$(crane digest --insecure "$registry/shop:$1")"; }
