# shellcheck shell=bash
# The release binary: built here, or the one that TOWPATH_BINARY names.

find_binary() {
  binary=${TOWPATH_BINARY:-${CARGO_TARGET_DIR:-$checkout/target}/release/towpath}
  if [ -z "${TOWPATH_BINARY:-}" ]; then
    needs cargo "https://rustup.rs"
    step "build the release binary" cargo build --release --locked --manifest-path "$checkout/Cargo.toml" --bin towpath
  fi
  [ -x "$binary" ] || die "$binary must be an executable file"
  binary=$(realpath "$binary")
}
