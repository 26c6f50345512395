//! The one place where clients for calls to others are made, and where their answers are read.
//!
//! Every call has a deadline, follows no redirect (the body may hold a secret), proves over TLS whom it talks to, uses a proxy only when one is
//! configured, and reads at most 64 KiB.

mod aws_http;
pub mod circuit;
mod direct;
mod egress;
mod fault;
pub mod guard;
mod kept;
pub mod role;
pub mod token;

use std::time::Duration;

use chrono::DateTime;
use reqwest::{Response, StatusCode};
use url::{Host, Url};

pub use direct::{Direct, NotAHost};
pub use egress::{Authorities, AuthoritiesError, Egress, Proxy};
pub use fault::{ProxyFault, not_sent, surely_not_sent};

use crate::domain::time::Timestamp;

/// The most of any answer that is read.
const BODY_MAX: usize = 64 * 1024;
/// Longest wish to come back later that is honoured.
const RETRY_AFTER_MAX: Duration = Duration::from_hours(1);

/// A URL or client that can't be used. Says why, without credentials.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum OutboundError {
    #[error("must use https (http is for loopback addresses, or with outbound.allow_insecure_http)")]
    Insecure,
    #[error("must not contain a user name or password")]
    Credentials,
    #[error("must be an absolute http or https URL")]
    NotHttp,
    #[error("the TLS set-up failed")]
    Tls,
}

/// Accepts URLs that secrets may be sent to.
///
/// # Errors
/// [`OutboundError`] naming what is wrong.
pub fn check_url(url: &Url, allow_insecure_http: bool) -> Result<(), OutboundError> {
    if !url.username().is_empty() || url.password().is_some() {
        return Err(OutboundError::Credentials);
    }
    match url.scheme() {
        "https" => Ok(()),
        "http" if allow_insecure_http || is_loopback(url) => Ok(()),
        "http" => Err(OutboundError::Insecure),
        _ => Err(OutboundError::NotHttp),
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// The body, if it ends within the limit and the deadline.
pub async fn read_body(mut response: Response) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.ok()? {
        if body.len() + chunk.len() > BODY_MAX {
            return None;
        }
        body.extend_from_slice(&chunk);
    }
    Some(body)
}

/// When the other side wishes us to come back, cut to an hour; garbage is no wish. `Retry-After` has seconds or an HTTP date. Of a 429 also what
/// else is in use is read: `ratelimit-reset` with seconds, `x-ratelimit-reset` with seconds since 1970.
#[must_use]
pub fn retry_after(response: &Response, now: Timestamp) -> Option<Duration> {
    let header = |name| response.headers().get(name)?.to_str().ok();
    let wish = header("retry-after").and_then(|text| parse_retry_after(text, now));
    if response.status() != StatusCode::TOO_MANY_REQUESTS {
        return wish;
    }
    let seconds = || header("ratelimit-reset")?.trim().parse().ok().map(Duration::from_secs);
    let moment = || header("x-ratelimit-reset").and_then(|text| parse_moment(text, now));
    wish.or_else(seconds).or_else(moment).map(|wish| wish.min(RETRY_AFTER_MAX))
}

fn parse_retry_after(text: &str, now: Timestamp) -> Option<Duration> {
    let seconds = || text.trim().parse().ok().map(Duration::from_secs);
    let date = || {
        DateTime::parse_from_rfc2822(text.trim())
            .ok()
            .map(|at| Timestamp::from_millis(at.timestamp_millis()).since(now))
    };
    Some(seconds().or_else(date)?.min(RETRY_AFTER_MAX))
}

/// A moment in seconds since 1970, as the time until then.
fn parse_moment(text: &str, now: Timestamp) -> Option<Duration> {
    let seconds: i64 = text.trim().parse().ok().filter(|seconds| *seconds > 0)?;
    Some(Timestamp::from_millis(seconds.saturating_mul(1000)).since(now))
}

/// One safe line of somebody else's words, at most `max` characters; `None` when nothing is left.
#[must_use]
pub fn safe_line(text: &str, max: usize) -> Option<String> {
    let line: String = text.chars().filter(|c| !crate::domain::text::is_unsafe_char(*c)).take(max).collect();
    let line = line.trim().to_owned();
    (!line.is_empty()).then_some(line)
}

#[cfg(test)]
mod tests;
