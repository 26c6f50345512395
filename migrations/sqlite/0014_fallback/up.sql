-- A message that did not reach the person is followed by one on the other channel, once: what came of it, and when it is due as long as
-- it is. NULL as long as none was wanted.
ALTER TABLE invitation ADD COLUMN fallback TEXT;
ALTER TABLE invitation ADD COLUMN fallback_due_at BIGINT;
CREATE INDEX invitation_fallback_due ON invitation (fallback_due_at) WHERE fallback_due_at IS NOT NULL AND status = 'pending';
