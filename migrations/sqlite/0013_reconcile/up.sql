-- From when on an account stands as it does: one interval later it is compared with the directory. None: there is nothing to compare.
ALTER TABLE account ADD COLUMN check_after BIGINT;
-- Comparisons in a row that did not end in agreement.
ALTER TABLE account ADD COLUMN checks_failed BIGINT NOT NULL DEFAULT 0;
UPDATE account SET check_after = updated_at
    WHERE lock_reason IS NOT NULL OR directory <> 'synced' OR (hold = 'foreign' AND awaits IS NOT NULL);
CREATE INDEX account_check ON account (check_after, id) WHERE check_after IS NOT NULL;
