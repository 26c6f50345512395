-- What is over is found by when it ended, so that a clean-up with nothing to do costs nothing.
CREATE INDEX invitation_ended ON invitation (updated_at) WHERE status IN ('accepted', 'expired', 'revoked', 'failed');
-- By invitation_id first, though it is the same in all of them: the planner takes another index otherwise.
CREATE INDEX outbox_settled ON outbox (invitation_id, updated_at)
    WHERE invitation_id IS NULL AND state IN ('sent', 'failed', 'superseded', 'expired');
-- All that is to be done, or was done, for one account.
CREATE INDEX outbox_settled_events ON outbox (updated_at)
    WHERE endpoint_id IS NOT NULL AND state IN ('sent', 'failed', 'superseded', 'expired');
CREATE INDEX outbox_by_account ON outbox (account_id, created_at);
