-- The purpose that a password is awaited for, from the first invitation on until one is set, however invitations end meanwhile. Where the
-- invitations are gone, the lock tells; a reset that was withdrawn and holds no lock is over.
ALTER TABLE account ADD COLUMN awaits TEXT;
UPDATE account SET awaits = COALESCE((
    SELECT CASE
        WHEN invitation.status = 'accepted' THEN ''
        WHEN invitation.status = 'revoked' AND invitation.purpose = 'password_reset'
            AND COALESCE(account.lock_reason, '') <> 'PENDING_ADMIN_FORCED_USER_PASSWORD_RESET' THEN ''
        ELSE invitation.purpose
    END FROM invitation
    WHERE invitation.tenant = account.tenant AND invitation.realm_key = account.realm_key
      AND invitation.username_key = account.username_key
    ORDER BY invitation.created_at DESC, invitation.id DESC LIMIT 1
), CASE account.lock_reason
    WHEN 'PENDING_ASK_PASSWORD' THEN 'onboarding'
    WHEN 'PENDING_ADMIN_FORCED_USER_PASSWORD_RESET' THEN 'password_reset'
END);
UPDATE account SET awaits = NULL WHERE awaits = '';
