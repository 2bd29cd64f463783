# shellcheck shell=bash
# From the creation of the example's App and Environment to Ready: its own PostgreSQL, the migration, then the pods.

measure_ready() {
  local times=() number
  # The first one pulls the images.
  for number in 0 1 2 3; do
    step "the shop, from nothing to Ready$([ "$number" != 0 ] || printf ' (once, to pull the images)')" time_ready
    [ "$number" = 0 ] || times+=("$(<"$work/ready")")
  done
  {
    printf '| from `kubectl create` to Ready | seconds |\n|---|--:|\n'
    printf '| the example app, v1, with a PostgreSQL of its own and a migration (%d runs, median; images on the node) | %s |\n' \
      "${#times[@]}" "$(median "${times[@]}")"
  } >"$work/ready.md"
}

time_ready() {
  local begin
  kubectl create namespace bench-shop
  begin=$(now)
  documents "$checkout"/examples/shop/{app,environment}.yaml | sed -e 's/shop-staging/bench-shop/' -e 's/shop\.localhost/bench.localhost/' |
    kubectl create -f -
  kubectl -n bench-shop wait --for=condition=Ready --timeout 120s environment/shop || { explain bench-shop; return 1; }
  seconds_since "$begin" >"$work/ready"
  delete_namespaces bench-shop
}
