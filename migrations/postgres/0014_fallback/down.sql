DROP INDEX invitation_fallback_due;
ALTER TABLE invitation DROP COLUMN fallback;
ALTER TABLE invitation DROP COLUMN fallback_due_at;
