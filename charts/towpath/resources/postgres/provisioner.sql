-- The role that makes databases is no superuser.
\set password `cat "$CREDENTIALS/provisioner"`
BEGIN;
CREATE ROLE towpath LOGIN CREATEDB CREATEROLE PASSWORD :'password';
GRANT pg_signal_backend TO towpath;
-- Whoever may log in reaches only the databases that are its own.
REVOKE CONNECT, TEMPORARY ON DATABASE postgres, template1 FROM PUBLIC;
GRANT CONNECT ON DATABASE postgres TO towpath;
GRANT CONNECT ON DATABASE template1 TO towpath;
COMMIT;
