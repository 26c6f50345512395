ALTER TABLE audit_event ADD COLUMN realm_key TEXT;
ALTER TABLE audit_event ADD COLUMN username_key TEXT;
UPDATE audit_event SET realm_key = a.realm_key, username_key = a.username_key FROM account a WHERE a.id = audit_event.account_id;
ALTER TABLE audit_event DROP COLUMN account_id;

ALTER TABLE outbox ADD COLUMN realm_key TEXT NOT NULL DEFAULT '';
ALTER TABLE outbox ADD COLUMN username_key TEXT NOT NULL DEFAULT '';
UPDATE outbox SET realm_key = a.realm_key, username_key = a.username_key FROM account a WHERE a.id = outbox.account_id;
ALTER TABLE outbox DROP COLUMN account_id;

ALTER TABLE invitation DROP COLUMN account_id;

DROP INDEX account_by_id;
ALTER TABLE account DROP COLUMN id;
