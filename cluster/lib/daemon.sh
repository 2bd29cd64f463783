# shellcheck shell=bash
# Starts, knows and stops the processes of the cluster, by their ids.

# A process is known by its id and the time at which it started: ids come again.
started_at() {
  local stat
  stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
  # The name, in brackets, may hold spaces; the 22nd field is the 20th behind it.
  read -ra stat <<<"${stat##*) }"
  # A zombie is not alive.
  [ "${stat[0]}" != Z ] && printf '%s' "${stat[19]}"
}

alive() {
  local pid start
  { read -r pid start _ <"$pids/$1"; } 2>/dev/null && [ -n "$start" ] && [ "$(started_at "$pid")" = "$start" ]
}

# daemon NAME FILES -- COMMAND...: sees to it that the command runs, with the configuration files as they are now.
# One that runs with the same command and files stays; another one is stopped first.
daemon() {
  local name=$1 files=() hash pid
  shift
  while [ "$1" != -- ]; do files+=("$1"); shift; done
  shift
  hash=$({ printf '%s\0' "$@" "$(stat -Lc '%Y %s' "$(command -v "$1")")"; [ "${#files[@]}" = 0 ] || cat "${files[@]}"; } |
    sha256sum | cut -d' ' -f1)
  if alive "$name"; then
    [ "$(cut -d' ' -f3 "$pids/$name")" != "$hash" ] || return 0
    stop "$name"
  fi
  keep_log_small "$logs/$name.log"
  # Its own session, no terminal and no lock of ours, so that whoever called this can end. The variable is how
  # cluster/check knows what the cluster started from what else runs the same binaries.
  TOWPATH_CLUSTER_DAEMON=$name setsid "$@" </dev/null >>"$logs/$name.log" 2>&1 9>&- &
  pid=$!
  until_true 2 started_at "$pid" || return 1
  printf '%s %s %s\n' "$pid" "$(started_at "$pid")" "$hash" >"$pids/$name"
  started+=("$name")
}

# Logs stay over a restart for whoever asks why, but not for ever.
keep_log_small() {
  [ "$(stat -c %s "$1" 2>/dev/null || echo 0)" -lt 20000000 ] || mv "$1" "$1.old"
}

# stop NAME [SECONDS]: asks, then insists.
stop() {
  local name=$1 patience=${2:-2} pid
  if alive "$name"; then
    pid=$(cut -d' ' -f1 "$pids/$name")
    kill -TERM "$pid" 2>/dev/null || true
    until_true "$patience" gone "$name" 2>/dev/null || { kill -KILL "$pid" 2>/dev/null || true; until_true 5 gone "$name"; }
  fi
  rm -f "$pids/$name"
}

gone() { ! alive "$1"; }
