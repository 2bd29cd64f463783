# shellcheck shell=bash
# Everything that a run makes is in namespaces called bench-*, or named here.

namespaces() { kubectl get namespaces -o name | sed -n 's#^namespace/\(bench-.*\)#\1#p'; }

# Can be called at any time, on whatever is left.
clean_up() {
  local left
  mapfile -t left < <(namespaces | grep -vx bench-system || true)
  # Without kwok nobody would say that a simulated pod has ended.
  if ! alive kwok; then
    forget_simulated_pods
  fi
  [ "${#left[@]}" = 0 ] || delete_namespaces "${left[@]}"
  stop_peers
  kubectl delete --ignore-not-found nodes -l type=kwok
  stop kwok
  stop git-host
  kubectl delete --ignore-not-found crd {analysisruns,analysistemplates,clusteranalysistemplates,experiments,rollouts}.argoproj.io
  kubectl delete --ignore-not-found clusterrolebindings -l bench.towpath.dev/peer=yes
  kubectl delete --ignore-not-found clusterrole argo-rollouts kwok-controller
  delete_namespaces bench-system
} >/dev/null

forget_simulated_pods() {
  local node
  for node in $(kubectl get nodes -l type=kwok -o name); do
    kubectl delete pods --all-namespaces --field-selector "spec.nodeName=${node#node/}" --force --grace-period 0
  done
}

delete_namespaces() {
  kubectl delete namespace "$@" --ignore-not-found --wait=false
  kubectl wait --for=delete --timeout 600s "${@/#/namespace/}"
}

# explain NAMESPACE: why its Environments are not ready.
explain() {
  kubectl -n "$1" get pods
  kubectl -n "$1" get environments \
    -o 'jsonpath={range .items[*]}{range .status.conditions[?(@.type=="Ready")]}{.reason}: {.message}{"\n"}{end}{end}' |
    sort | uniq -c | sort -rn | head
}

# until_ready NAMESPACE COUNT SECONDS: so many Environments are ready.
until_ready() {
  local namespace=$1 count=$2 end=$((SECONDS + $3)) ready
  while true; do
    ready=$(kubectl -n "$namespace" get environments \
      -o 'jsonpath={range .items[*]}{.status.conditions[?(@.type=="Ready")].status}{"\n"}{end}' | grep -c True || true)
    [ "$ready" -lt "$count" ] || return 0
    [ "$SECONDS" -lt "$end" ] || { warn "$ready of $count Environments are ready"; explain "$namespace"; return 1; }
    sleep 1
  done
}
