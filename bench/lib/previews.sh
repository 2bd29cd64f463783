# shellcheck shell=bash
# Pull requests on the small Git host of the examples, as each provider: opened when their image is there, then closed.

preview_rounds=5

measure_previews() {
  local provider port=3080
  step "build the small Git host" build_git_host
  {
    printf '| median of %d | from the webhook to the Preview | to the first answer of its URL | from closing to nothing left | ' "$preview_rounds"
    printf 'writes | reads | requests to the Git host |\n'
    printf '|---|--:|--:|--:|--:|--:|--:|\n'
  } >"$work/previews.md"
  for provider in Forgejo GitHub GitLab; do
    step "$preview_rounds pull requests of $provider, opened and closed" previews_of "$provider" "$port"
    cat "$work/previews-$provider" >>"$work/previews.md"
    port=$((port + 1))
  done
  {
    printf '\nThe image is there, the database is an empty one on the shared server, migrated by a Job. Writes and reads are those of the\n'
    printf 'controller to the apiserver from opening to nothing left, with events; the list that it polls is not in the last column.\n'
  } >>"$work/previews.md"
}

# The build that is measured: see charts/image.
build_git_host() {
  local profile=release
  [ -z "${TOWPATH_BINARY:-}" ] || profile=dev
  cargo build --manifest-path "$checkout/Cargo.toml" --locked --profile "$profile" --example git-host
  [ "$profile" != dev ] || profile=debug
  cp "${CARGO_TARGET_DIR:-$checkout/target}/$profile/examples/git-host" "$work/git-host"
}

# previews_of PROVIDER PORT
previews_of() {
  local provider=$1 small=${1,,} namespace=bench-previews host=local url=http://198.18.0.1:$2 number counter
  local before after writes reads
  [ "$provider" = Forgejo ] || host=local-$small
  start_git_host "$provider" "$host" "$2"
  fill preview-app.yaml "namespace=$namespace" "provider=$small" "provider-name=$provider" "host=$host" "registry=$registry" | apply
  rm -f "$work"/opened-* "$work"/answered "$work"/gone "$work"/appeared
  # The first one finds a cold cache everywhere.
  one_pull_request 1
  rm -f "$work"/answered "$work"/gone
  # As one process, so that the signal reaches it.
  (exec "$work/measure" "${measure_options[@]}" -quiet 30m 9>&-) &
  counter=$!
  # This is a subshell's: a failure ends it too.
  trap 'kill -TERM "$counter" 2>/dev/null || true' EXIT
  sleep 1
  before=$(asked_of_host)
  for ((number = 2; number < 2 + preview_rounds; number++)); do one_pull_request "$number"; done
  after=$(asked_of_host)
  kill -TERM "$counter"
  wait "$counter"
  trap - EXIT
  for ((number = 2; number < 2 + preview_rounds; number++)); do appeared "$number" >>"$work/appeared"; done
  read -r writes _ _ reads _ <"$work/rest"
  printf '| %s | %d ms | %s s | %s s | %d | %d | %d |\n' "$provider" "$(median_of appeared)" "$(median_of answered)" "$(median_of gone)" \
    $((writes / preview_rounds)) $((reads / preview_rounds)) $(((after - before) / preview_rounds)) >"$work/previews-$provider"
  stop git-host
  delete_namespaces "$namespace"
}

# median_of FILE
median_of() {
  local figures
  mapfile -t figures <"$work/$1"
  median "${figures[@]}"
}

# start_git_host PROVIDER HOST PORT
start_git_host() {
  local secret address
  secret=$(kubectl -n "$controller_namespace" get secret local-git -o 'jsonpath={.data.secret}' | base64 -d)
  address=$(kubectl -n "$controller_namespace" get service towpath-webhooks -o 'jsonpath={.spec.clusterIP}')
  daemon git-host -- env "GIT_HOST_LISTEN=198.18.0.1:$3" GIT_HOST_TOKEN=bench "GIT_HOST_HOOK_URL=http://$address/hooks/git/$2" \
    "GIT_HOST_HOOK_SECRET=$secret" "GIT_HOST_HOOK_PROVIDER=$1" "$work/git-host"
  until_true 10 curl -sf -o /dev/null "$url/"
}


asked_of_host() { curl -sf "$url/control" | sed 's/[^0-9]//g'; }

# one_pull_request NUMBER: it lives, and goes.
one_pull_request() {
  local number=$1 sha begin
  sha=$(printf '%s %s %s' "$provider" "$number" "$(now)" | sha1sum | cut -c1-40)
  crane tag --insecure "$registry/shop:v1" "bench-${sha:0:7}"
  begin=$(now)
  printf '%s' "$begin" >"$work/opened-$number"
  on_git_host "" "{\"number\": $number, \"title\": \"Faster cart\", \"branch\": \"feat/cart\", \"author\": \"dev\", \"sha\": \"$sha\"}"
  until_true 120 serves "$small-pr-$number.localhost"
  printf '%s\n' "$(seconds_since "$begin")" >>"$work/answered"
  until_true 60 told "$number" success
  begin=$(now)
  on_git_host "/$number/close" '{}'
  until_true 120 nothing_left "$number"
  printf '%s\n' "$(seconds_since "$begin")" >>"$work/gone"
}

on_git_host() { curl -sf --max-time 10 --json "$2" -o /dev/null "$url/control/bench/shop$1"; }

serves() { curl -sf --max-time 2 -o /dev/null -H "Host: $1" "http://$node_ip:8080/"; }

told() { curl -sf "$url/control/bench/shop/$1" | grep -q "\"state\":\"$2\""; }

nothing_left() {
  local left
  left=$(kubectl -n bench-previews get previews,environments,pods,secrets,deployments,httproutes -o name | grep -e "/shop-pr-$1" || true)
  [ -z "$left" ] && [ "$(preview_databases)" = 0 ]
}

preview_databases() {
  kubectl exec towpath-postgres-0 -n "$controller_namespace" -- psql -U postgres -qtAc \
    "SELECT count(*) FROM pg_database WHERE shobj_description(oid, 'pg_database') LIKE '%bench-previews%'"
}

# appeared NUMBER: milliseconds from the opening to the request that made the Preview, by the apiserver's audit log.
appeared() {
  local at
  at=$(sed -n "s#^previews shop-pr-$1 ##p" "$work/created" | head -n 1)
  echo $(((at - $(<"$work/opened-$1")) / 1000))
}
