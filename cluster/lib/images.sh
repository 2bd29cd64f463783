# shellcheck shell=bash
# The images that a cluster without a way out must have in its own registry. Their layers are made once and kept.

# image NAME HASH MAKER: pushes what MAKER puts together, unless the registry has exactly that. MAKER is given a folder in
# which it makes `root.tar` and `config.json`.
image() {
  local name=$1 hash=$2 maker=$3 dir=$images/$2
  in_registry "$name" "$hash" && return 0
  if [ ! -e "$dir/index.json" ]; then
    rm -rf "$dir.new"
    mkdir -p "$dir.new"
    step "make the image $name" make_image "$dir.new" "$maker"
    rm -rf "$dir"
    mv "$dir.new" "$dir"
  fi
  step "push the image $name" crane push --insecure "$dir" "$registry/$name"
  # A node that has the tag would not ask for it again.
  ctr --address "$containerd_socket" --namespace k8s.io images rm "$registry/$name" >/dev/null 2>&1 || true
  printf '%s\n' "$hash" >"$images/${name//[\/:]/_}.pushed"
}

in_registry() {
  [ "$(cat "$images/${1//[\/:]/_}.pushed" 2>/dev/null)" = "$2" ] &&
    curl -fsS -m 2 -o /dev/null -H 'Accept: application/vnd.oci.image.manifest.v1+json' \
      "http://$registry/v2/${1%:*}/manifests/${1##*:}" 2>/dev/null
}

# One layer, in the folder layout that OCI describes: crane's own way knows no stop signal.
make_image() {
  local dir=$1 maker=$2 diff layer config manifest
  "$maker" "$dir"
  diff=$(sha256sum "$dir/root.tar" | cut -d' ' -f1)
  gzip -n -3 "$dir/root.tar"
  mkdir -p "$dir/blobs/sha256"
  layer=$(blob "$dir" "$dir/root.tar.gz")
  write "$dir/config" <<JSON
{"architecture":"$(dpkg --print-architecture)","os":"linux","config":$(cat "$dir/config.json"),"rootfs":{"type":"layers","diff_ids":["sha256:$diff"]}}
JSON
  config=$(blob "$dir" "$dir/config")
  write "$dir/manifest" <<JSON
{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json",$config},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip",$layer}]}
JSON
  manifest=$(blob "$dir" "$dir/manifest")
  printf '{"imageLayoutVersion":"1.0.0"}\n' >"$dir/oci-layout"
  write "$dir/index.json" <<JSON
{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json",$manifest}]}
JSON
  rm -f "$dir/config.json"
}

# blob LAYOUT FILE: files it under its digest; prints the descriptor's digest and size.
blob() {
  local digest size
  digest=$(sha256sum "$2" | cut -d' ' -f1)
  size=$(stat -c %s "$2")
  mv "$2" "$1/blobs/sha256/$digest"
  printf '"digest":"sha256:%s","size":%s' "$digest" "$size"
}

push_images() {
  mkdir -p "$images"
  image pause:1 "$(cat "$here"/images/pause/* "$here/lib/images.sh" | sha256sum | cut -d' ' -f1)" pause_image
  image postgres:15 "$(cat "$here"/images/postgres/* "$here/lib/images.sh" | sha256sum | cut -d' ' -f1)" postgres_image
  # What earlier versions of the images left.
  local dir
  for dir in "$images"/*/; do
    cat "$images"/*.pushed | grep -xF "$(basename "$dir")" >/dev/null || rm -rf "$dir"
  done
}

pause_image() {
  mkdir "$1/root"
  gcc -Os -static -s -o "$1/root/pause" "$here/images/pause/pause.c"
  tar -C "$1/root" --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 -cf "$1/root.tar" .
  rm -r "$1/root"
  cp "$here/images/pause/config.json" "$1/config.json"
}

# Unpacked only, with the few tools that a script needs: no maintainer script runs, so nothing of a Debian server is set up that the image does not want.
postgres_image() {
  local root=$1/root
  # The package lists of this machine's Debian decide what is newest.
  mmdebstrap --quiet --mode=root --variant=extract \
    --include=postgresql-15,base-files,bash,coreutils,dash,findutils,grep,gzip,libc-bin,mawk,sed,tzdata \
    --hook-dir=/usr/share/mmdebstrap/hooks/merged-usr bookworm "$root"
  "$here/images/postgres/shrink" "$root"
  install -m 755 "$here/images/postgres/entrypoint" "$root/usr/local/bin/docker-entrypoint.sh"
  # Better here than in a pod: what was taken out must not be missing.
  # shellcheck disable=SC2016
  chroot "$root" /bin/sh -euc 'PATH=/usr/lib/postgresql/15/bin:/usr/bin
    for tool in postgres initdb pg_ctl psql pg_isready pg_dump pg_restore find sed mktemp cat; do "$tool" --version; done'
  tar -C "$root" --sort=name --numeric-owner --mtime=@0 -cf "$1/root.tar" .
  rm -r "$root"
  cp "$here/images/postgres/config.json" "$1/config.json"
}
