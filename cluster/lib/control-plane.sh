# shellcheck shell=bash
# etcd, kube-apiserver, kube-controller-manager and kube-scheduler.

start_etcd() {
  # Not synced to disk: this cluster's data lives from one start to the next stop, not longer.
  daemon etcd -- etcd --name towpath --data-dir "$state/etcd" --unsafe-no-fsync \
    --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 \
    --listen-peer-urls http://127.0.0.1:2380 --initial-advertise-peer-urls http://127.0.0.1:2380 \
    --initial-cluster towpath=http://127.0.0.1:2380 --quota-backend-bytes 4294967296 \
    --auto-compaction-mode periodic --auto-compaction-retention 30m --log-level warn
}

# No path of a checkout in any command: a call from another one must find that nothing has changed.
control_plane_configuration() {
  cp "$here/manifests/audit-policy.yaml" "$conf/audit-policy.yaml"
}

start_apiserver() {
  daemon apiserver "$pki/apiserver.says" "$pki/apiserver-kubelet.says" "$conf/audit-policy.yaml" -- kube-apiserver \
    --etcd-servers http://127.0.0.1:2379 \
    --bind-address "$node_ip" --advertise-address "$node_ip" --secure-port "$api_port" \
    --service-cluster-ip-range "$service_cidr" \
    --tls-cert-file "$pki/apiserver.crt" --tls-private-key-file "$pki/apiserver.key" --client-ca-file "$pki/ca.crt" \
    --kubelet-certificate-authority "$pki/ca.crt" --kubelet-client-certificate "$pki/apiserver-kubelet.crt" \
    --kubelet-client-key "$pki/apiserver-kubelet.key" --kubelet-preferred-address-types InternalIP \
    --service-account-issuer https://kubernetes.default.svc.cluster.local \
    --service-account-key-file "$pki/service-accounts.pub" --service-account-signing-key-file "$pki/service-accounts.key" \
    --authorization-mode Node,RBAC --enable-admission-plugins NodeRestriction --allow-privileged=true \
    --audit-policy-file "$conf/audit-policy.yaml" --audit-log-path "$logs/audit.log" \
    --audit-log-maxsize 200 --audit-log-maxbackup 2 --profiling=false
}

apiserver_ready() { kubectl --kubeconfig "$pki/admin.kubeconfig" get --raw /readyz; }

# Its default of 20 requests a second would be what a load test measures.
start_controller_manager() {
  daemon controller-manager "$pki/kube-controller-manager.says" -- kube-controller-manager \
    --kubeconfig "$pki/kube-controller-manager.kubeconfig" --bind-address 127.0.0.1 \
    --service-account-private-key-file "$pki/service-accounts.key" --root-ca-file "$pki/ca.crt" \
    --cluster-signing-cert-file "$pki/ca.crt" --cluster-signing-key-file "$pki/ca.key" \
    --use-service-account-credentials --leader-elect=false --kube-api-qps 500 --kube-api-burst 1000
}

start_scheduler() {
  daemon scheduler "$pki/kube-scheduler.says" -- kube-scheduler \
    --kubeconfig "$pki/kube-scheduler.kubeconfig" --bind-address 127.0.0.1 --leader-elect=false \
    --kube-api-qps 500 --kube-api-burst 1000
}

start_volumes() {
  mkdir -p "$volumes"
  chmod 711 "$volumes"
  daemon volumes "$pki/volumes.says" -- volumes --kubeconfig "$pki/volumes.kubeconfig" --provisioner towpath.dev/local \
    --node "$node" --root "$volumes"
}
