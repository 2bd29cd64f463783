# shellcheck shell=bash
# Sourced by each command: all parts.
lib=$(dirname "${BASH_SOURCE[0]}")
for part in common daemon packages build certificates network control-plane node registry images gateway stop; do
  # shellcheck source=/dev/null
  . "$lib/$part.sh"
done
unset part
