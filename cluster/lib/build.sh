# shellcheck shell=bash
# Builds from pinned Go modules what is missing, or whose module file has changed since.

tools=$here/tools
go_k8s=k8s.io/component-base/version

# family NAME DIRECTORY CGO PACKAGE FLAGS...: builds PACKAGE ("tool": all tools of the module) into .cluster/bin.
# A stamp holds the hash of what it is built from and the names of what it made.
family() {
  local name=$1 dir=$2 cgo=$3 package=$4 hash out
  shift 4
  hash=$(cd "$dir" && { find . -name 'go.*' -o -name '*.go' | LC_ALL=C sort | xargs cat; printf '%s\n' "$cgo" "$package" "$@"; } |
    sha256sum | cut -d' ' -f1)
  built "$name" "$hash" && return 0
  out=$cache/building/$name
  rm -rf "$out"
  mkdir -p "$out" "$bin" "$stamps"
  step "build $name" go_install "$dir" "$out" "$cgo" "$package" "$@"
  # etcd's package is called server.
  [ ! -e "$out/server" ] || mv "$out/server" "$out/etcd"
  { printf '%s\n' "$hash"; ls "$out"; } >"$cache/building/$name.stamp"
  # Renaming works also while the old binary runs.
  mv -f "$out"/* "$bin/"
  mv "$cache/building/$name.stamp" "$stamps/$name"
  rmdir "$out"
}

built() {
  local file
  [ "$(head -n 1 "$stamps/$1" 2>/dev/null)" = "$2" ] || return 1
  while read -r file; do
    [ -x "$bin/$file" ] || return 1
  done < <(tail -n +2 "$stamps/$1")
}

go_install() {
  local dir=$1 out=$2 cgo=$3 package=$4
  shift 4
  cd "$dir"
  # The commit of the checkout must not be part of what is built.
  CGO_ENABLED=$cgo GOBIN=$out GOFLAGS='-mod=readonly -buildvcs=false' GOWORK=off go install -trimpath "$@" "$package"
}

# The order: what the project's tests need first, so that they can begin.
build_all() {
  command -v go >/dev/null || die "needs Go 1.26 or newer to build Kubernetes; install it from https://go.dev/dl"
  family kubernetes "$tools/kubernetes" 0 tool \
    -ldflags "-s -w -X $go_k8s.gitVersion=v$kubernetes_version -X $go_k8s.gitMajor=1 -X $go_k8s.gitMinor=36"
  family crane "$tools/crane" 0 tool -ldflags "-s -w -X github.com/google/go-containerregistry/cmd/crane/cmd.Version=v0.22.1"
  family helm "$tools/helm" 0 tool -ldflags "-s -w -X helm.sh/helm/v4/internal/version.version=v4.2.4"
  family containerd "$tools/containerd" 0 tool -tags no_btrfs \
    -ldflags "-s -w -X github.com/containerd/containerd/v2/version.Version=2.2.9"
  family runc "$tools/runc" 1 tool -tags seccomp -ldflags "-s -w"
  family cni "$tools/cni" 0 tool -ldflags "-s -w -X github.com/containernetworking/plugins/pkg/utils/buildversion.BuildVersion=v1.9.1"
  [ ! -e "$here/volumes/go.mod" ] || family volumes "$here/volumes" 0 . -ldflags "-s -w"
  family coredns "$tools/coredns" 0 tool -ldflags "-s -w"
  family traefik "$tools/traefik" 0 tool -ldflags "-s -w -X github.com/traefik/traefik/v3/pkg/version.Version=3.4.0"
  gateway_api_definitions
}

# The definitions of the Gateway API come with its Go module, at the version that Traefik is built with.
gateway_api_definitions() {
  local dir=$cache/gateway-api-$gateway_api_version module
  [ ! -e "$dir" ] || return 0
  module=$(cd "$tools/traefik" && GOFLAGS=-mod=readonly GOWORK=off go mod download -json "sigs.k8s.io/gateway-api" |
    sed -n 's/^\t"Dir": "\(.*\)",\?$/\1/p')
  [ -d "$module" ] || die "the module sigs.k8s.io/gateway-api could not be had"
  rm -rf "$dir.new"
  cp -r "$module/config/crd/standard" "$dir.new"
  chmod -R u+w "$dir.new"
  mv "$dir.new" "$dir"
}
