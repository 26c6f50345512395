DROP TABLE audit_event;
DROP TABLE outbox;
DROP TABLE invitation;
DROP TABLE account;
DROP TABLE tenant_settings;
