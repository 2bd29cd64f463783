# shellcheck shell=bash
# Puts an image together without a container engine: two layers, a configuration and a manifest, as a folder that is an OCI
# image layout and, by its manifest.json, also what `docker load` reads. The same content gives the same digest: times are
# zero, owners are root, files are sorted, and nothing of the machine is written. `version` comes from common.sh.

created=1970-01-01T00:00:00Z

# assemble BINARY NAME FOLDER: sets `digest`, `compressed` and `uncompressed`.
assemble() {
  local binary=$1 name=$2 layout=$3
  local work=$layout.work
  rm -rf "$layout" "$work"
  mkdir -p "$layout/blobs/sha256" "$work/base" "$work/binary"
  system_files "$binary" "$work/base"
  install -m 0755 "$binary" "$work/binary/towpath"
  diff_ids=() layers=() uncompressed=0 compressed=0
  # What seldom changes comes first: it is pushed and pulled once.
  layer "$work/base" "$layout"
  layer "$work/binary" "$layout"
  write_layout "$name" "$layout"
  rm -rf "$work"
}

# The loader and the libraries that the binary names, certificates, and a user. No shell, no package manager.
system_files() {
  local binary=$1 root=$2 file
  while read -r file; do
    install -D -m 0755 "$file" "$root$file"
  done < <(shared_objects "$binary")
  mkdir -p "$root/etc/ssl/certs"
  certificates >"$root/etc/ssl/certs/ca-certificates.crt"
  printf 'root:x:0:0:root:/:/nonexistent\nnonroot:x:65532:65532:nonroot:/:/nonexistent\n' >"$root/etc/passwd"
  printf 'root:x:0:\nnonroot:x:65532:\n' >"$root/etc/group"
  # Names are resolved by libc itself since glibc 2.34; no further library is loaded for these two.
  printf 'hosts: files dns\n' >"$root/etc/nsswitch.conf"
}

# The certificates of Mozilla's list only: what this machine trusts besides is no business of the image's users.
certificates() {
  local list=/usr/share/ca-certificates/mozilla
  [ -d "$list" ] || die "needs $list: apt-get install ca-certificates"
  # A file need not end with a newline; awk adds it.
  find "$list" -name '*.crt' -print0 | LC_ALL=C sort -z | xargs -0 awk 1
}

# Every file that the loader maps, the loader itself among them.
shared_objects() {
  local listed
  listed=$(ldd "$1") || die "$1 must be a dynamically linked binary of this machine"
  ! grep 'not found' <<<"$listed" >&2 || die "a library of $1 is missing"
  grep -o '/[^ ]*' <<<"$listed" | LC_ALL=C sort -u
}

# layer FOLDER LAYOUT: adds the folder as a compressed layer.
layer() {
  local folder=$1 layout=$2 tar=$1.tar size
  # Times, owners, order and modes do not depend on the machine; `--pax-option` drops what GNU tar adds of its own.
  tar --create --file "$tar" --directory "$folder" --sort=name --format=posix --numeric-owner --owner=0 --group=0 \
    --mode='u+rwX,go+rX,go-w' --mtime="$created" --pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime .
  diff_ids+=("sha256:$(sha256 "$tar")")
  size=$(stat -c %s "$tar")
  uncompressed=$((uncompressed + size))
  gzip -n -9 "$tar"
  layers+=("$(blob "$tar.gz" application/vnd.oci.image.layer.v1.tar+gzip "$layout")")
  compressed=$((compressed + $(stat -c %s "$layout/blobs/sha256/${layers[-1]:7:64}")))
}

sha256() { sha256sum "$1" | cut -d' ' -f1; }

# blob FILE TYPE LAYOUT: moves the file into the layout; prints "sha256:HASH SIZE TYPE".
blob() {
  local hash
  hash=$(sha256 "$1")
  printf 'sha256:%s %s %s\n' "$hash" "$(stat -c %s "$1")" "$2"
  mv "$1" "$3/blobs/sha256/$hash"
}

# descriptor "DIGEST SIZE TYPE" [MORE]
descriptor() {
  local digest size type
  read -r digest size type <<<"$1"
  printf '{"mediaType":"%s","digest":"%s","size":%s%s}' "$type" "$digest" "$size" "${2:-}"
}

write_layout() {
  local name=$1 layout=$2 config manifest reference=${1##*:} files=()
  image_config >"$layout/config"
  config=$(blob "$layout/config" application/vnd.oci.image.config.v1+json "$layout")
  printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":%s,"layers":[%s,%s]}' \
    "$(descriptor "$config")" "$(descriptor "${layers[0]}")" "$(descriptor "${layers[1]}")" >"$layout/manifest"
  manifest=$(blob "$layout/manifest" application/vnd.oci.image.manifest.v1+json "$layout")
  digest=${manifest%% *}
  printf '{"imageLayoutVersion":"1.0.0"}' >"$layout/oci-layout"
  printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[%s]}' "$(descriptor "$manifest" \
    ",\"annotations\":{\"io.containerd.image.name\":\"$name\",\"org.opencontainers.image.ref.name\":\"$reference\"}")" \
    >"$layout/index.json"
  files=("${config%% *}" "${layers[@]%% *}")
  files=("${files[@]/#sha256:/blobs/sha256/}")
  printf '[{"Config":"%s","RepoTags":["%s"],"Layers":["%s","%s"]}]' "${files[0]}" "$name" "${files[@]:1}" >"$layout/manifest.json"
}

image_config() {
  local arch
  case $(uname -m) in
    x86_64) arch=amd64 ;;
    aarch64) arch=arm64 ;;
    *) die "images are made on x86_64 and aarch64 only" ;;
  esac
  cat <<EOF
{
  "created": "$created",
  "architecture": "$arch",
  "os": "linux",
  "config": {
    "User": "65532:65532",
    "Env": ["PATH=/", "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt"],
    "Entrypoint": ["/towpath"],
    "WorkingDir": "/",
    "Labels": {
      "org.opencontainers.image.title": "towpath",
      "org.opencontainers.image.description": "A Kubernetes controller that takes an app from an image to serving traffic",
      "org.opencontainers.image.version": "${version:?}",
      "org.opencontainers.image.licenses": "Apache-2.0"
    }
  },
  "rootfs": {"type": "layers", "diff_ids": ["${diff_ids[0]}", "${diff_ids[1]}"]},
  "history": [
    {"created": "$created", "created_by": "libraries, certificates, user"},
    {"created": "$created", "created_by": "towpath $version"}
  ]
}
EOF
}

# megabytes BYTES
megabytes() { printf '%d.%d MB' $(($1 / 1000000)) $(($1 / 100000 % 10)); }
