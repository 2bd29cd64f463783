# shellcheck shell=bash
# One authority of the cluster, and what it signs. Made once and kept: a kubeconfig that somebody copied stays right.

certificates() {
  mkdir -p "$pki"
  chmod 700 "$pki"
  key_of ca
  [ -s "$pki/ca.crt" ] || openssl req -x509 -new -key "$pki/ca.key" -subj "/CN=towpath local cluster" -days 3650 \
    -addext "basicConstraints=critical,CA:TRUE" -addext "keyUsage=critical,keyCertSign,cRLSign,digitalSignature" -out "$pki/ca.crt"
  key_of service-accounts
  [ -s "$pki/service-accounts.pub" ] || openssl pkey -in "$pki/service-accounts.key" -pubout -out "$pki/service-accounts.pub"

  signed apiserver "/CN=kube-apiserver" serverAuth,clientAuth \
    "IP:127.0.0.1,IP:$node_ip,IP:$apiserver_ip,DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local"
  # The apiserver as a client of the kubelet, for logs and exec.
  signed apiserver-kubelet "/O=system:masters/CN=kube-apiserver-kubelet" clientAuth
  signed kubelet-serving "/O=system:nodes/CN=system:node:$node" serverAuth "IP:$node_ip,DNS:$node"
  signed gateway "/CN=gateway" serverAuth "DNS:localhost,DNS:*.localhost,DNS:example.com,DNS:*.example.com,DNS:*.preview.example.com,IP:127.0.0.1,IP:$node_ip"

  client admin "/O=system:masters/CN=admin"
  client kubelet "/O=system:nodes/CN=system:node:$node"
  client kube-controller-manager "/CN=system:kube-controller-manager"
  client kube-scheduler "/CN=system:kube-scheduler"
  client kube-proxy "/CN=system:kube-proxy"
  client coredns "/CN=towpath:coredns"
  client traefik "/CN=towpath:traefik"
  client volumes "/CN=towpath:volumes"
  cp "$pki/admin.kubeconfig" "$kubeconfig.new"
  sed -i "s#https://$node_ip:#https://127.0.0.1:#" "$kubeconfig.new"
  cmp -s "$kubeconfig.new" "$kubeconfig" || cp "$kubeconfig.new" "$kubeconfig"
  rm "$kubeconfig.new"
  chmod 600 "$kubeconfig"
}

key_of() {
  [ -s "$pki/$1.key" ] || openssl ecparam -name prime256v1 -genkey -noout | write "$pki/$1.key"
}

# signed NAME SUBJECT USAGE [NAMES]: signs again when what it says has changed, or the authority.
signed() {
  local name=$1 want
  want=$(printf '%s\n' "$@"; cksum <"$pki/ca.crt")
  [ "$(cat "$pki/$name.says" 2>/dev/null)" != "$want" ] || return 0
  key_of "$name"
  openssl req -new -key "$pki/$name.key" -subj "$2" |
    openssl x509 -req -CA "$pki/ca.crt" -CAkey "$pki/ca.key" -days 3650 -set_serial "0x$(openssl rand -hex 8)" \
      -extfile <(printf 'basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=%s\n' "$3"
        [ -z "${4:-}" ] || printf 'subjectAltName=%s\n' "$4") -out "$pki/$name.crt"
  printf '%s\n' "$want" >"$pki/$name.says"
}

# client NAME SUBJECT: a kubeconfig with a certificate.
client() {
  signed "$1" "$2" clientAuth
  [ "$pki/$1.kubeconfig" -nt "$pki/$1.says" ] || write "$pki/$1.kubeconfig" <<YAML
apiVersion: v1
kind: Config
clusters:
- name: towpath
  cluster:
    server: https://$node_ip:$api_port
    certificate-authority-data: $(base64 -w0 <"$pki/ca.crt")
users:
- name: $1
  user:
    client-certificate-data: $(base64 -w0 <"$pki/$1.crt")
    client-key-data: $(base64 -w0 <"$pki/$1.key")
contexts:
- name: towpath
  context: {cluster: towpath, user: $1}
current-context: towpath
YAML
}
