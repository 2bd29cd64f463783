# shellcheck shell=bash
# The image that runs, as its registry stores it: compressed.

measure_size() {
  local image bytes=0 size
  image=$(kubectl -n "$controller_namespace" get deployment towpath -o 'jsonpath={.spec.template.spec.containers[0].image}')
  # Every size in the manifest: configuration and layers.
  while read -r size; do bytes=$((bytes + size)); done < <(crane manifest --insecure "$image" | grep -o '"size": *[0-9]*' | tr -dc '0-9\n')
  printf '| image, compressed | MB |\n|---|--:|\n| controller and command line | %d.%d |\n' $((bytes / 1000000)) $((bytes / 100000 % 10)) \
    >"$work/size.md"
}
