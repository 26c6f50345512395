//! Rows in bulk, by one statement a table.

use crate::database::Database;

/// How much is in the database, of how much there will be; an invitation comes every 100 ms and the last one now.
pub(crate) struct Filling {
    pub(crate) rows: i64,
    pub(crate) total: i64,
    pub(crate) now: i64,
}

impl Filling {
    pub(crate) const fn created_at(&self, n: i64) -> i64 {
        self.now - (self.total - n) * 100
    }
}

const TERMS: &str = r#"{"lockAccount":false,"activationNotification":true,"redirectUrl":null,"resendCooldownSeconds":60,"maxResends":5,"warnings":[]}"#;

/// Adds the rows from `first` on: one in a thousand has failed, one in twenty is pending, one in a thousand has run out unnoticed.
pub(crate) fn fill(database: &Database, first: i64, filling: &Filling) {
    let (last, total, now) = (filling.rows, filling.total, filling.now);
    let (numbers, hex) = match database {
        Database::Postgres(_) => {
            (format!("SELECT generate_series({}, {last})::BIGINT AS n", first + 1), "lpad(to_hex(n), 32, '0')")
        }
        Database::Sqlite(_) => {
            let numbers = format!(
                "WITH RECURSIVE g(n) AS (SELECT {} UNION ALL SELECT n + 1 FROM g WHERE n < {last}) SELECT n FROM g",
                first + 1
            );
            (numbers, "printf('%032x', n)")
        }
    };
    let from =
        format!("FROM (SELECT n, {hex} AS hex, {now} - ({total} - n) * 100 AS at FROM ({numbers}) numbers) rows");
    let realm = "CASE WHEN n % 200 = 0 THEN 'PARTNERS' ELSE 'PRIMARY' END";
    let purpose = "CASE WHEN n % 10 = 4 THEN 'password_reset' ELSE 'onboarding' END";
    let method = "CASE WHEN n % 100 = 7 THEN 'sms_otp' WHEN n % 10 IN (3, 4) THEN 'email_otp' ELSE 'email_link' END";
    let status =
        "CASE WHEN n % 1000 = 5 THEN 'failed' WHEN n % 20 IN (0, 7) THEN 'pending' WHEN n % 20 = 1 THEN 'expired'
                       WHEN n % 20 = 2 THEN 'revoked' ELSE 'accepted' END";
    let expiry = format!(
        "CASE WHEN n % 1000 = 100 THEN at WHEN n % 20 IN (0, 7) THEN {now} + n % 100000 * 60000 + 3600000 ELSE at + 50 END"
    );
    let kind = format!("CASE WHEN n % 10 = 4 THEN 'password_reset_' ELSE 'invitation_' END || {method}");
    let state = "CASE WHEN n % 1000 = 5 THEN 'failed' WHEN n % 50 = 9 THEN 'skipped' ELSE 'sent' END";
    database.execute(&format!(
        "INSERT INTO account (tenant, realm_key, username_key, realm, username, otp_failures, hold, directory, version, updated_at, id)
         SELECT 'default', {realm}, 'user' || n, {realm}, 'user' || n, 0, 'none', 'synced', 0, at, 'acc_' || hex {from};
         INSERT INTO invitation (id, tenant, realm, username, realm_key, username_key, person, terms, metadata, created_by, purpose, method,
                                 status, generation, resends, retired_verifiers, accept_fence, expires_at, created_at, updated_at, issued_at,
                                 account_id)
         SELECT 'inv_' || hex, 'default', {realm}, 'user' || n, {realm}, 'user' || n, '{{}}', '{TERMS}', '{{}}', 'bench', {purpose}, {method},
                {status}, 1, 0, '', 0, {expiry}, at, at, at, 'acc_' || hex {from};
         INSERT INTO outbox (id, tenant, invitation_id, generation, kind, channel, state, attempts, fence, next_attempt_at, created_at,
                             updated_at, account_id, listed_at)
         SELECT 'msg_' || hex, 'default', 'inv_' || hex, 1, {kind}, CASE WHEN n % 100 = 7 THEN 'sms' ELSE 'email' END, {state}, 1, 1, at, at,
                at, 'acc_' || hex, at {from};"
    ));
    for (step, (event, actor)) in
        [("issued", "hr-portal"), ("sent", "system"), ("redeemed", "person"), ("accepted", "person")].iter().enumerate()
    {
        database.execute(&format!(
            "INSERT INTO audit_event (id, tenant, at, event, actor, invitation_id, detail, account_id)
             SELECT 'aud_{step}' || substr(hex, 2), 'default', at + {step}, 'invitation.{event}',
                    CASE WHEN n % 1000 = 5 THEN 'rare' ELSE '{actor}' END, 'inv_' || hex, '', 'acc_' || hex {from}"
        ));
    }
    if database.postgres().is_some() {
        database.execute("VACUUM (ANALYZE)");
    }
}
