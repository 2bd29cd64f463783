# shellcheck shell=bash
# From the answered change of an object to the write that it causes, in each controller's own way.

measure_delay() {
  local first second
  first=$(shop_image v1)
  second=$(shop_image v2)
  step "start Argo Rollouts" start_peers
  step "an object of each controller, settled" make_contenders "$first"
  measure -image "$first" -other-image "$second" -rounds "$rounds" || exceeded="the delays or the writes are not as they must be"
  cp "$work/samples.csv" "$logs/bench-delays.csv" 2>/dev/null || true
  step "take them away" delete_contenders
}

make_contenders() {
  fill contenders.yaml "image=$1" | apply
  kubectl -n bench-native rollout status deployment/web --timeout 60s
  kubectl -n bench-rollouts wait --for=jsonpath='{.status.phase}'=Healthy --timeout 60s rollout/web
  kubectl -n bench-rollouts-raised wait --for=jsonpath='{.status.phase}'=Healthy --timeout 60s rollout/web
  kubectl -n bench-towpath wait --for=condition=Ready --timeout 120s environment/web
}

delete_contenders() {
  delete_namespaces bench-native bench-rollouts bench-rollouts-raised bench-towpath
  stop_peers
}

measure() { "$work/measure" "${measure_options[@]}" "$@"; }

measure_options=(-server "https://127.0.0.1:$api_port" -credentials "$pki" -audit "$logs/audit.log" -out "$work" -user "$controller_user")
