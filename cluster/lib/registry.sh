# shellcheck shell=bash
# An OCI registry that keeps what it got, over cluster/down too.

registry_configuration() {
  mkdir -p "$registry_storage"
  write "$conf/registry.yml" <<YAML
version: 0.1
log: {level: warn, accesslog: {disabled: true}}
storage:
  filesystem: {rootdirectory: $registry_storage}
  delete: {enabled: true}
  maintenance: {uploadpurging: {enabled: false}}
http: {addr: "$registry", headers: {X-Content-Type-Options: [nosniff]}}
YAML
}

start_registry() { daemon registry "$conf/registry.yml" -- docker-registry serve "$conf/registry.yml"; }

registry_ready() { curl -fsS -m 1 "http://$registry/v2/"; }
