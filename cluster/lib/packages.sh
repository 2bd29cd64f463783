# shellcheck shell=bash
# The Debian packages that building and running need; only those that are missing are installed.

needed_packages=(nftables iptables conntrack iproute2 mmdebstrap libseccomp-dev pkg-config gcc libc6-dev openssl ca-certificates)

install_packages() {
  local missing=() package
  for package in "${needed_packages[@]}"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep 'ok installed' >/dev/null || missing+=("$package")
  done
  [ "${#missing[@]}" -gt 0 ] || [ ! -x "$bin/docker-registry" ] || return 0
  step "read Debian's package lists" apt-get update -qq
  [ "${#missing[@]}" = 0 ] ||
    DEBIAN_FRONTEND=noninteractive step "install ${#missing[@]} Debian packages" \
      apt-get install -y -qq --no-install-recommends "${missing[@]}"
  [ -x "$bin/docker-registry" ] || step "take the registry from its Debian package" unpack_registry
}

# Unpacked, not installed: the package would start a service of its own on the same port.
unpack_registry() {
  local dir=$cache/building/docker-registry
  rm -rf "$dir"
  mkdir -p "$dir" "$bin"
  cd "$dir"
  # apt's own user may not write here, and root may; apt says so as a warning.
  apt-get download -qq docker-registry
  dpkg-deb -x docker-registry_*.deb root
  mv root/usr/bin/docker-registry "$bin/docker-registry"
  cd "$cache"
  rm -rf "$dir"
}
