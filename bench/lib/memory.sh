# shellcheck shell=bash
# What the controller's process takes. Environments here are one Worker component each, on simulated nodes.

settle_seconds=20
many=${BENCH_ENVIRONMENTS:-1000}

measure_memory() {
  local image begin took rest
  image=$(shop_image v1)
  step "start kwok, and its nodes" start_kwok
  printf '| Environments | resident | of it heap | after a restart | of it heap | highest, at that restart |\n|--:|--:|--:|--:|--:|--:|\n' \
    >"$work/memory.md"
  step "restart the controller" restart_controller
  row 0
  step "10 Environments" make_workers bench-memory "$image" 1 10
  settle
  row 10
  begin=$(now)
  step "$many Environments" make_workers bench-memory "$image" 11 "$many"
  took=$(seconds_since "$begin")
  settle
  row "$many"
  step "what is asked for at rest, in 60 s" measure -quiet 60s
  rest=$(<"$work/rest")
  printf '\nThe last %d were Ready %s s after the first of them was created. At rest, with all of them: %s.
"Resident" counts the program file too, as far as its pages are mapped; "heap" is the rest.\n' \
    $((many - 10)) "$took" "$rest" >>"$work/memory.md"
  case $rest in "0 writes"*) ;; *) exceeded="${exceeded:+$exceeded; }something is written at rest: $rest" ;; esac
  step "take them away" delete_namespaces bench-memory
}

# row COUNT: the figures as they grew, and those after a restart.
row() {
  local grown
  grown="$(mebibytes "$(resident)") | $(mebibytes "$(heap)")"
  step "restart the controller with $1 Environments" restart_controller
  printf '| %s | %s | %s | %s | %s |\n' "$1" "$grown" "$(mebibytes "$(resident)")" "$(mebibytes "$(heap)")" "$(mebibytes "$(highest)")" \
    >>"$work/memory.md"
}

# What one more watched Secret costs: so many Environments that each name one, against as many that name none.
measure_secrets() {
  local image none=() some=() count=100 each
  image=$(shop_image v1)
  alive kwok || step "start kwok, and its nodes" start_kwok
  step "$count Environments without a Secret" make_workers bench-plain "$image" 1 "$count"
  restarts none
  step "take them away" delete_namespaces bench-plain
  step "$count Environments, each with a Secret of its own" make_workers bench-secrets "$image" 1 "$count" secrets
  restarts some
  step "take them away" delete_namespaces bench-secrets
  each=$((($(median "${some[@]}") - $(median "${none[@]}")) / count))
  {
    printf '| %d Environments | heap after a restart (median of %d) |\n|---|--:|\n' "$count" "${#none[@]}"
    printf '| that name no Secret | %s |\n' "$(mebibytes "$(median "${none[@]}")")"
    printf '| that name one Secret each | %s |\n' "$(mebibytes "$(median "${some[@]}")")"
    printf '\nOne watched Secret costs %d KiB.\n' "$each"
  } >"$work/secrets.md"
}

# restarts ARRAY: what is resident after each of some restarts.
restarts() {
  local -n found=$1
  for _ in 1 2 3; do
    step "restart the controller" restart_controller
    found+=("$(heap)")
  done
}

# make_workers NAMESPACE IMAGE FROM TO [secrets]
make_workers() {
  local namespace=$1 image=$2 from=$3 to=$4 with=${5:-} number secret
  [ "$from" != 1 ] || fill worker-app.yaml "namespace=$namespace" "image=${image%@*}" | apply
  for ((number = from; number <= to; number++)); do
    secret=
    [ -z "$with" ] || secret="envFrom: [{secretRef: {name: secret-$number}}]"
    fill worker-environment.yaml "namespace=$namespace" "image=$image" "number=$number" "secret=$secret"
  done >"$work/environments.yaml"
  [ -z "$with" ] || for ((number = from; number <= to; number++)); do
    fill secret.yaml "namespace=$namespace" "number=$number"
  done | kubectl create -f -
  kubectl create -f "$work/environments.yaml"
  until_ready "$namespace" "$to" 600
}

settle() { sleep "$settle_seconds"; }

restart_controller() {
  kubectl -n "$controller_namespace" delete pods -l app.kubernetes.io/name=towpath --timeout 60s
  kubectl -n "$controller_namespace" rollout status deployment/towpath --timeout 120s
  settle
}

# The process is known by its pod's control group.
controller_pid() {
  local uid proc
  uid=$(kubectl -n "$controller_namespace" get pods -l app.kubernetes.io/name=towpath --field-selector status.phase=Running \
    -o 'jsonpath={.items[0].metadata.uid}')
  for proc in /proc/[0-9]*; do
    if [ "$(readlink "$proc/exe" 2>/dev/null)" = /towpath ] && grep -qF "$uid" "$proc/cgroup" 2>/dev/null; then
      printf '%s' "${proc#/proc/}"
      return
    fi
  done
  die "the controller's process is not on this machine"
}

# In KiB, as the kernel counts. Resident is also the program's own file, as far as it was read; heap is what is not backed
# by a file.
resident() { of_status VmRSS; }
heap() { of_status RssAnon; }
highest() { of_status VmHWM; }
of_status() {
  local pid
  pid=$(controller_pid)
  sed -n "s/^$1:[[:space:]]*\([0-9]*\) kB$/\1/p" "/proc/$pid/status"
}

mebibytes() { printf '%d.%d MiB' $(($1 / 1024)) $(($1 * 10 / 1024 % 10)); }
