//! Way 2: the login of the IAM platform asks whether the password that was typed is an invitation's code.
//!
//! The same code path and budgets as redeeming; what comes of it is a grant, never a session.

use tokio::time::Instant;

use super::redeem::{Code, Redeemed, has_live_code};
use super::{Caller, Refusal, Service, ServiceError, ServiceResult};
use crate::domain::ids::AccountKey;
use crate::storage::invitations;

/// What the login should do.
pub enum OtpLogin {
    /// The code is right: send the person to the page.
    PasswordSetupRequired {
        redeemed: Box<Redeemed>,
        /// The page that sets the password, with the grant where the link has its token.
        setup_url: String,
    },
    Rejected,
    /// The account has no live OTP invitation: not our affair.
    NotApplicable,
}

impl Service {
    /// Checks a code that was typed as the password.
    ///
    /// # Errors
    /// Failures, and refusals that are not about the code.
    pub async fn otp_login(&self, caller: &Caller, code: Code) -> ServiceResult<OtpLogin> {
        let started = Instant::now();
        let key = AccountKey::new(&code.realm, &code.username);
        let tenant = caller.tenant.clone();
        let (live, now) = self
            .store
            .read(move |conn| Ok::<_, ServiceError>((invitations::find_live(conn, &tenant, &key)?, conn.now()?)))
            .await?;
        if !live.is_some_and(|invitation| has_live_code(&invitation, now)) {
            return Ok(OtpLogin::NotApplicable);
        }
        let redeemed = self.redeem_code(caller, code).await;
        match self.even_out(started, redeemed).await {
            Ok(redeemed) => {
                let setup_url = redeemed.settings.links.setup_url.replace("{token}", &redeemed.grant);
                Ok(OtpLogin::PasswordSetupRequired { redeemed: Box::new(redeemed), setup_url })
            }
            Err(ServiceError::Refused(Refusal::InvalidOrExpired)) => Ok(OtpLogin::Rejected),
            Err(error) => Err(error),
        }
    }
}
