//! Which secrets open an invitation now: the current generation's and, for a while after a resend, the one before it.
//!
//! Only the last one before the current can be good still, never longer than it would have been, and under the current
//! generation's budget of attempts: a resend must not buy guesses.

use std::time::Duration;

use super::invitation::{Invitation, Method, Status};
use super::time::Timestamp;
use super::verifier::Context;

/// The secret before the current one.
#[derive(Clone)]
pub struct Grace {
    pub generation: i64,
    pub method: Method,
    /// Its tagged verifier.
    pub verifier: String,
    /// It is good until then; `None` when it is not (any more).
    pub until: Option<Timestamp>,
}

impl Grace {
    /// `generation:method:verifier`, as an earlier secret is stored.
    #[must_use]
    pub fn stored(&self) -> String {
        format!("{}:{}:{}", self.generation, self.method.as_str(), self.verifier)
    }

    /// Reads what [`Grace::stored`] wrote.
    #[must_use]
    pub fn parse(stored: &str, until: Option<Timestamp>) -> Option<Self> {
        let mut fields = stored.splitn(3, ':');
        let (generation, method, verifier) = (fields.next()?, fields.next()?, fields.next()?);
        Some(Self {
            generation: generation.parse().ok()?,
            method: Method::parse(method)?,
            verifier: verifier.to_owned(),
            until,
        })
    }

    /// What this secret of the invitation is bound to.
    #[must_use]
    pub fn context(&self, invitation: &Invitation) -> Context {
        Context { generation: self.generation, method: self.method, ..Context::of(invitation) }
    }
}

/// Which of an invitation's secrets one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Era {
    Current,
    /// The one before, within its grace.
    Last,
}

/// A secret that opens the invitation: its verifier, and what it is bound to.
#[derive(Clone)]
pub struct LiveSecret {
    pub era: Era,
    pub context: Context,
    pub verifier: String,
}

impl Invitation {
    /// The secrets that are good now, at most two. What else the invitation's state demands is not asked here.
    #[must_use]
    pub fn live_secrets(&self, now: Timestamp) -> Vec<LiveSecret> {
        let in_grace =
            |secret: &LiveSecret| secret.era == Era::Current || self.grace_ends().is_some_and(|end| end > now);
        self.known_secrets().into_iter().filter(in_grace).collect()
    }

    /// As [`Invitation::live_secrets`], with one whose grace is over: what the person may take for a code of this invitation.
    #[must_use]
    pub fn known_secrets(&self) -> Vec<LiveSecret> {
        let current = self.verifier.clone();
        let current = current.map(|verifier| LiveSecret { era: Era::Current, context: Context::of(self), verifier });
        let last = self.grace.as_ref().map(|grace| LiveSecret {
            era: Era::Last,
            context: grace.context(self),
            verifier: grace.verifier.clone(),
        });
        current.into_iter().chain(last).collect()
    }

    /// When the secret before the current one stops being good; `None` when it is not good.
    #[must_use]
    pub fn grace_ends(&self) -> Option<Timestamp> {
        self.grace.as_ref()?.until
    }

    /// What a resend made now leaves of the current secret: one that is still good outlives it by the tolerance agreed on, but
    /// not its own expiry.
    #[must_use]
    pub fn outliving(&self, now: Timestamp) -> Option<Grace> {
        let tolerance = self.terms.tolerance_minutes;
        let usable = matches!(self.status_at(now), Status::Provisioning | Status::Pending)
            && self.otp_used_at.is_none()
            && self.attempts_left != Some(0);
        if tolerance == 0 || !usable {
            return None;
        }
        let end = now.after(Duration::from_secs(u64::from(tolerance) * 60));
        let until = Some(self.expires_at.map_or(end, |expires| expires.min(end)));
        Some(Grace { generation: self.generation, method: self.method, verifier: self.verifier.clone()?, until })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_earlier_secret_is_read_back() {
        let grace = Grace { generation: 3, method: Method::SmsOtp, verifier: "h1:k1:AA==".to_owned(), until: None };
        let read = Grace::parse(&grace.stored(), None).unwrap();
        assert_eq!((read.generation, read.method, read.verifier), (3, Method::SmsOtp, "h1:k1:AA==".to_owned()));
        for broken in ["", "3", "3:sms_otp", "x:sms_otp:h1", "3:fax:h1"] {
            assert!(Grace::parse(broken, None).is_none(), "{broken}");
        }
    }
}
