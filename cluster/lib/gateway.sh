# shellcheck shell=bash
# Traefik, the gateway for the Gateway API and for Ingress, as a process of the machine.

gateway_configuration() {
  # What HTTPS shows for Ingresses that name no certificate; Gateway listeners name the Secret `gateway-tls`.
  write "$conf/traefik-tls.yaml" <<YAML
tls:
  stores:
    default:
      defaultCertificate: {certFile: $pki/gateway.crt, keyFile: $pki/gateway.key}
YAML
}

start_gateway() {
  daemon traefik "$conf/traefik-tls.yaml" "$pki/gateway.says" "$pki/traefik.says" -- env KUBECONFIG="$pki/traefik.kubeconfig" traefik \
    --global.checknewversion=false --global.sendanonymoususage=false --log.level=INFO \
    --entrypoints.web.address="$node_ip:$http_port" \
    --entrypoints.websecure.address="$node_ip:$https_port" --entrypoints.websecure.http.tls=true \
    --entrypoints.traefik.address=127.0.0.1:8082 --ping=true --metrics.prometheus=true \
    --providers.providersthrottleduration=100ms \
    --providers.file.filename="$conf/traefik-tls.yaml" \
    --providers.kubernetesgateway=true --providers.kubernetesgateway.statusaddress.ip="$node_ip" \
    --providers.kubernetesingress=true --providers.kubernetesingress.ingressclass=traefik \
    --providers.kubernetesingress.ingressendpoint.ip="$node_ip" --providers.kubernetesingress.allowemptyservices=true
}

gateway_ready() { curl -fsS -m 1 http://127.0.0.1:8082/ping; }

gateway_programmed() {
  kubectl --kubeconfig "$pki/admin.kubeconfig" -n gateway-system wait --for=condition=Programmed gateway/traefik --timeout=1s
}
