# shellcheck shell=bash
# Argo Rollouts and kwok: processes of this machine that talk to the apiserver by accounts of their own.

# module_dir TOOL MODULE: where Go keeps the source of a tool.
module_dir() {
  (cd "$bench/tools/$1" && GOFLAGS=-mod=readonly GOWORK=off go mod download -json "$2") | sed -n 's/^\t"Dir": "\(.*\)",\?$/\1/p'
}

# account NAME: a kubeconfig whose token ends with the run.
account() {
  kubectl -n bench-system create serviceaccount "$1" --dry-run=client -o yaml | apply
  local token
  token=$(kubectl -n bench-system create token "$1" --duration 12h)
  write "$work/$1.kubeconfig" <<YAML
apiVersion: v1
kind: Config
clusters:
- name: local
  cluster: {server: "https://$node_ip:$api_port", certificate-authority-data: $(base64 -w0 <"$pki/ca.crt")}
users:
- name: $1
  user: {token: $token}
contexts:
- name: local
  context: {cluster: local, user: $1}
current-context: local
YAML
}

start_peers() {
  local source
  source=$(module_dir argo-rollouts github.com/argoproj/argo-rollouts)
  fill peers.yaml | apply
  documents "$source"/manifests/crds/*-crd.yaml "$source/manifests/role/argo-rollouts-clusterrole.yaml" | apply
  account argo-rollouts
  account argo-rollouts-raised
  kubectl wait --for=condition=Established --timeout=30s crd/rollouts.argoproj.io
  # As it comes, but for its ports, of which the gateway has one.
  POD_NAMESPACE=bench-system daemon argo-rollouts -- rollouts-controller --kubeconfig "$work/argo-rollouts.kubeconfig" \
    --healthzPort 18081 --metricsPort 18082
  # And once more without its own limit of requests, for objects that name this instance.
  POD_NAMESPACE=bench-system daemon argo-rollouts-raised -- rollouts-controller \
    --kubeconfig "$work/argo-rollouts-raised.kubeconfig" --healthzPort 18083 --metricsPort 18084 \
    --instance-id raised --leader-elect=false --qps 1000 --burst 2000
}

stop_peers() {
  stop argo-rollouts
  stop argo-rollouts-raised
}

# kwok simulates its own nodes only; their taint keeps everybody else's pods away.
start_kwok() {
  local source
  source=$(module_dir kwok sigs.k8s.io/kwok)/kustomize
  fill kwok.yaml | apply
  documents "$source/rbac/role.yaml" | apply
  account kwok
  documents "$source"/stage/node/{fast/node-initialize,heartbeat-with-lease/node-heartbeat-with-lease}.yaml \
    "$source"/stage/pod/fast/pod-{ready,complete,delete}.yaml \
    >"$work/stages.yaml"
  daemon kwok -- kwok --kubeconfig "$work/kwok.kubeconfig" --config "$work/stages.yaml" \
    --manage-nodes-with-annotation-selector kwok.x-k8s.io/node=fake --cidr 198.18.128.0/17 --node-lease-duration-seconds 40
  simulated_nodes | apply
  kubectl wait --for=condition=Ready --timeout=60s nodes -l type=kwok
}

simulated_nodes() {
  local number
  for number in 1 2 3 4 5; do
    printf -- '---\n'
    fill node.yaml "number=$number"
  done
}
