-- The purpose that a password is awaited for, from the first invitation on until one is set, however invitations end meanwhile.
ALTER TABLE account ADD COLUMN awaits TEXT;
UPDATE account SET awaits = (
    SELECT CASE invitation.status WHEN 'accepted' THEN NULL ELSE invitation.purpose END FROM invitation
    WHERE invitation.tenant = account.tenant AND invitation.realm_key = account.realm_key
      AND invitation.username_key = account.username_key
    ORDER BY invitation.created_at DESC, invitation.id DESC LIMIT 1
);
