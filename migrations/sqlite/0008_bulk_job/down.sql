DROP INDEX outbox_due;
CREATE INDEX outbox_due ON outbox (next_attempt_at, id) WHERE state = 'ready';
ALTER TABLE outbox DROP COLUMN priority;
DROP TABLE bulk_row;
DROP TABLE bulk_job;
