# shellcheck shell=bash
# Ends what runs and takes away what would outlive it. Can be called at any time, on whatever is left.

stop_everything() {
  [ -d "$state" ] || { network_down; return 0; }
  # Pods first, so that nobody starts them again; the apiserver before etcd, without which it does not end.
  local name
  for name in kubelet traefik kube-proxy coredns volumes; do stop "$name" & done
  wait
  pods_down
  stop containerd 5
  for name in scheduler controller-manager registry; do stop "$name" & done
  wait
  stop apiserver
  stop etcd 5
  # Containers that containerd was about to start as it was stopped.
  pods_down
  mounts_down
  network_down
  # Never through a mount that could not be taken away.
  rm -rf --one-file-system "$state"
  rm -f "$owner_file"
}
