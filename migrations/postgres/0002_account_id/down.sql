ALTER TABLE audit_event ADD COLUMN realm_key TEXT, ADD COLUMN username_key TEXT;
UPDATE audit_event e SET realm_key = a.realm_key, username_key = a.username_key FROM account a WHERE a.id = e.account_id;
ALTER TABLE audit_event DROP COLUMN account_id;

ALTER TABLE outbox ADD COLUMN realm_key TEXT NOT NULL DEFAULT '', ADD COLUMN username_key TEXT NOT NULL DEFAULT '';
UPDATE outbox o SET realm_key = a.realm_key, username_key = a.username_key FROM account a WHERE a.id = o.account_id;
ALTER TABLE outbox ALTER COLUMN realm_key DROP DEFAULT, ALTER COLUMN username_key DROP DEFAULT;
ALTER TABLE outbox DROP COLUMN account_id;

ALTER TABLE invitation DROP COLUMN account_id;

DROP INDEX account_by_id;
ALTER TABLE account DROP COLUMN id;
