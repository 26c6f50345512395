-- An account gets an id of its own that says nothing of the person. Invitations, the outbox and the audit trail name the account by it, so
-- that erasing the account's row leaves nothing behind that leads back to the person.
ALTER TABLE account ADD COLUMN id TEXT;
UPDATE account SET id = 'acc_' || replace(gen_random_uuid()::TEXT, '-', '');
ALTER TABLE account ALTER COLUMN id SET NOT NULL;
CREATE UNIQUE INDEX account_by_id ON account (id);

ALTER TABLE invitation ADD COLUMN account_id TEXT;
UPDATE invitation i SET account_id = a.id FROM account a
    WHERE a.tenant = i.tenant AND a.realm_key = i.realm_key AND a.username_key = i.username_key;
ALTER TABLE invitation ALTER COLUMN account_id SET NOT NULL;

ALTER TABLE outbox ADD COLUMN account_id TEXT;
UPDATE outbox o SET account_id = a.id FROM account a
    WHERE a.tenant = o.tenant AND a.realm_key = o.realm_key AND a.username_key = o.username_key;
ALTER TABLE outbox DROP COLUMN realm_key, DROP COLUMN username_key;

ALTER TABLE audit_event ADD COLUMN account_id TEXT;
UPDATE audit_event e SET account_id = a.id FROM account a
    WHERE a.tenant = e.tenant AND a.realm_key = e.realm_key AND a.username_key = e.username_key;
ALTER TABLE audit_event DROP COLUMN realm_key, DROP COLUMN username_key;
