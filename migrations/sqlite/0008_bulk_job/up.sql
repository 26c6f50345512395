-- A job that issues many invitations. `receiving` while its rows still come in, `discarded` once they are being removed: neither is shown.
-- done and failed are filled in when it is over; before that the rows are counted.
CREATE TABLE bulk_job (
    id TEXT NOT NULL PRIMARY KEY,
    tenant TEXT NOT NULL,
    status TEXT NOT NULL,
    dry_run BIGINT NOT NULL,
    total BIGINT NOT NULL,
    done BIGINT NOT NULL,
    failed BIGINT NOT NULL,
    stalls BIGINT NOT NULL,
    fence BIGINT NOT NULL,
    lease_until BIGINT,
    next_attempt_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    request_id TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    finished_at BIGINT
);
CREATE INDEX bulk_job_by_tenant ON bulk_job (tenant, created_at, id);
CREATE INDEX bulk_job_due ON bulk_job (next_attempt_at, id) WHERE status IN ('queued', 'running');
CREATE INDEX bulk_job_finished ON bulk_job (finished_at) WHERE status IN ('done', 'cancelled');
CREATE INDEX bulk_job_unwanted ON bulk_job (lease_until) WHERE status IN ('receiving', 'discarded');

-- One row of a job. input is sealed, and wiped by the statement that settles the row. twin is the row before it that names the same account.
CREATE TABLE bulk_row (
    job_id TEXT NOT NULL,
    position BIGINT NOT NULL,
    tenant TEXT NOT NULL,
    status TEXT NOT NULL,
    input BLOB,
    twin BIGINT,
    invitation_id TEXT,
    problem TEXT,
    attempts BIGINT NOT NULL,
    next_attempt_at BIGINT NOT NULL,
    PRIMARY KEY (job_id, position)
);
CREATE INDEX bulk_row_by_status ON bulk_row (job_id, status, position);

-- Messages of jobs yield to those of single calls.
ALTER TABLE outbox ADD COLUMN priority BIGINT NOT NULL DEFAULT 0;
DROP INDEX outbox_due;
CREATE INDEX outbox_due ON outbox (priority, next_attempt_at, id) WHERE state = 'ready';
