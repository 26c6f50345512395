//! Handing one message to its gateway.

use std::time::{Duration, Instant};

use super::{Done, Worker, retry};
use crate::domain::contact::{Email, Phone};
use crate::domain::locale::{Locale, chain};
use crate::domain::message::{Payload, Place, Template};
use crate::domain::sender::Sender;
use crate::failpoint;
use crate::gateway::{EmailGateway, EmailMessage, Outcome, SmsGateway, SmsMessage};
use crate::storage::StorageError;
use crate::storage::outbox::Claimed;
use crate::storage::templates::{self as stored, StoredTemplate};
use crate::templates::{self, Rendered};

/// When a gateway or directory that refuses us is tried again: only an operator can mend that.
pub(super) const MISCONFIGURED_RETRY: Duration = Duration::from_mins(1);

/// What the code begins with of a message that was not tried, since its gateway failed too often lately.
pub(super) const HELD: &str = "circuit_open:";

impl Worker {
    pub(super) async fn send(&self, claimed: &Claimed) -> Result<Done, StorageError> {
        let Some(mut payload) = self.open(claimed) else {
            return Ok(Done::GivenUp { code: "unreadable".to_owned() });
        };
        if let Some(end) = claimed.expires_at.filter(|_| claimed.kind.is_reminder()) {
            payload.expires_in_minutes = Some(end.minutes_after(self.now()));
        }
        let parts = &*self.0;
        let Some(rendered) = self.words(claimed, &payload).await? else {
            return Ok(Done::GivenUp { code: "unrenderable".to_owned() });
        };
        let started = Instant::now();
        let outcome = match (&rendered, &parts.email, &parts.sms) {
            (Rendered::Email { subject, text, html }, Some(gateway), _) => {
                email(gateway, claimed, &payload, (subject, text, html)).await
            }
            (Rendered::Sms { text }, _, Some(gateway)) => sms(gateway, claimed, &payload, text).await,
            _ => return Ok(self.retry(claimed, "channel_not_configured", None)),
        };
        if let Some(outcome) = outcome.as_ref().ok().and_then(Outcome::name) {
            parts.metrics.sent(claimed.kind.channel(), outcome, started.elapsed());
        }
        Ok(match outcome {
            Ok(outcome) => self.judge(claimed, outcome),
            Err(code) => Done::Rejected { code: code.to_owned() },
        })
    }

    /// What the message says to this person: in the tenant's own words, as they are now, else in the built-in ones.
    async fn words(&self, claimed: &Claimed, payload: &Payload) -> Result<Option<Rendered>, StorageError> {
        let chain = chain(&payload.locale, &payload.fallback_locale);
        let (tenant, kind, locales) = (claimed.tenant.clone(), claimed.kind, chain.clone());
        let own = self.0.store.read(move |conn| stored::find(conn, &tenant, kind, &locales)).await?;
        let own = own.into_iter().map(|StoredTemplate { locale, template, .. }| (locale, template)).collect();
        Ok(words_of(claimed, &chain, own, payload).or_else(|| words_of(claimed, &chain, Vec::new(), payload)))
    }

    fn open(&self, claimed: &Claimed) -> Option<Payload> {
        let place = Place {
            id: claimed.id,
            tenant: &claimed.tenant,
            invitation: claimed.invitation?,
            generation: claimed.generation,
        };
        let sealed = claimed.payload.as_deref()?;
        let plain = place.bind(|bound_to| self.0.keys.open(bound_to, sealed)).ok()?;
        serde_json::from_slice(&plain).ok()
    }

    fn judge(&self, claimed: &Claimed, outcome: Outcome) -> Done {
        match outcome {
            Outcome::Accepted { provider_id } => Done::Sent { provider_id },
            Outcome::Rejected { code } => Done::Rejected { code },
            Outcome::Misconfigured { code } => {
                tracing::error!(
                    channel = claimed.kind.channel().as_str(),
                    code,
                    "the gateway refuses us, not the message"
                );
                self.postpone(claimed, code, MISCONFIGURED_RETRY)
            }
            Outcome::Held(held) => self.postpone(claimed, format!("{HELD}{}", held.code), held.wait),
            Outcome::Throttled { after } => self.retry(claimed, "throttled", after),
            Outcome::NotSent { code } => self.retry(claimed, code, None),
            Outcome::Unknown { code, after } => self.retry(claimed, &code, after),
        }
    }

    /// The try says nothing of the message: it waits for as long as it makes sense, and is never given up for that.
    pub(super) fn postpone(&self, claimed: &Claimed, code: String, wait: Duration) -> Done {
        match retry::postpone(self.now(), wait, claimed.expires_at, &mut crate::entropy::rng()) {
            retry::Decision::Retry(at) => Done::Retry { at, code, counts: false },
            retry::Decision::GiveUp(reason) => Done::GivenUp { code: format!("{reason}:{code}") },
        }
    }

    pub(super) fn retry(&self, claimed: &Claimed, code: &str, wish: Option<Duration>) -> Done {
        let decision =
            retry::decide(claimed.attempts, self.now(), wish, claimed.expires_at, &mut crate::entropy::rng());
        match decision {
            retry::Decision::Retry(at) => Done::Retry { at, code: code.to_owned(), counts: true },
            retry::Decision::GiveUp(reason) => Done::GivenUp { code: format!("{reason}:{code}") },
        }
    }
}

fn words_of(claimed: &Claimed, chain: &[Locale], own: Vec<(Locale, Template)>, payload: &Payload) -> Option<Rendered> {
    let chosen = templates::choose(claimed.kind, chain, own)?;
    let rendered = templates::render(claimed.kind, &chosen.locale, &chosen.text, payload);
    if rendered.is_err() {
        let (kind, locale) = (claimed.kind.as_str(), chosen.locale.as_str());
        tracing::error!(message.id = %claimed.id, message.kind = kind, locale, "a template does not render");
    }
    rendered.ok()
}

async fn email(
    gateway: &EmailGateway,
    claimed: &Claimed,
    payload: &Payload,
    (subject, text, html): (&str, &str, &str),
) -> Result<Outcome, &'static str> {
    let to = Email::parse(&payload.to).or(Err("recipient_unusable"))?;
    let from = payload.email_from.as_deref().and_then(|from| Sender::parse(from).ok());
    let reply_to = payload.reply_to.as_deref().and_then(|address| Email::parse(address).ok());
    failpoint::hit("deliver.sending");
    let message = EmailMessage {
        message_id: &claimed.id.to_string(),
        tenant: claimed.tenant.as_str(),
        kind: claimed.kind.as_str(),
        to: &to,
        to_name: payload.name.as_deref(),
        from: from.as_ref(),
        reply_to: reply_to.as_ref(),
        subject,
        text,
        html,
    };
    Ok(gateway.send(&message).await)
}

async fn sms(gateway: &SmsGateway, claimed: &Claimed, payload: &Payload, text: &str) -> Result<Outcome, &'static str> {
    let to = Phone::parse(&payload.to).or(Err("recipient_unusable"))?;
    failpoint::hit("deliver.sending");
    let message = SmsMessage {
        message_id: &claimed.id.to_string(),
        tenant: claimed.tenant.as_str(),
        kind: claimed.kind.as_str(),
        to: &to,
        text,
        from: payload.sms_from.as_deref(),
        is_unicode: templates::sms_size(text).encoding == "ucs2",
    };
    Ok(gateway.send(&message).await)
}
