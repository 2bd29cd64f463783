#!/bin/sh
# Makes the server's data where there are none: PGDATA. All of it is made beside, and gets its name last, so that what ends
# half-way is begun anew; an image's own scripts would be run once, and not again when they were killed.
set -eu
new=$PGDATA.new

if [ -e "$PGDATA/PG_VERSION" ]; then exit 0; fi
# An empty folder is in the way, and nobody's.
if [ -e "$PGDATA" ] && ! rmdir "$PGDATA"; then
  echo "error: $PGDATA must be empty, or hold a database" >&2
  exit 1
fi

rm -rf "$new"
initdb --pgdata="$new" --username=postgres --pwfile="$CREDENTIALS/admin" --auth-local=trust --auth-host=scram-sha-256
printf '\nhost all all all scram-sha-256\n' >>"$new/pg_hba.conf"
pg_ctl start --pgdata="$new" --wait --silent --options="-c listen_addresses='' -c unix_socket_directories=/tmp"
psql --host=/tmp --username=postgres --dbname=postgres --no-psqlrc --quiet --set=ON_ERROR_STOP=1 \
  --file="$(dirname "$0")/provisioner.sql"
pg_ctl stop --pgdata="$new" --wait --silent --mode=fast
mv "$new" "$PGDATA"
sync
