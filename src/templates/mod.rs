//! The words of messages: built-in texts in several languages, and the engine that renders these and tenants' own.
//!
//! A template is a source: text with `{{ variable }}` and `{% if variable %}`. Rendering knows a fixed set of variables and
//! fails on any other; HTML is escaped; a text part is always there. Nothing in here knows databases, gateways or HTTP.

mod built_in;
mod check;
mod html;
mod language;
mod languages;
mod render;
mod segments;
mod syntax;
#[cfg(test)]
mod tests;

pub use built_in::{built_in, built_in_locales};
pub use check::{TemplateProblem, check};
pub use render::{RenderError, Rendered, render};
pub use segments::{SmsSize, sms_size};

use crate::domain::locale::{self, Chosen, Locale};
use crate::domain::message::{Kind, SecretKind, Template};

/// The template to use for a kind of message: one of the tenant's `own` along the chain, else the nearest built-in one. `None`
/// for a kind that says nothing.
#[must_use]
pub fn choose(kind: Kind, chain: &[Locale], own: Vec<(Locale, Template)>) -> Option<Chosen<Template>> {
    let mut own = own;
    let mut take = |wanted: &Locale| {
        let at = own.iter().position(|(locale, _)| locale == wanted)?;
        Some(own.swap_remove(at).1)
    };
    locale::choose(chain, &mut take, |locale| built_in(kind, locale))
}

/// The variables that a kind of message knows.
#[must_use]
pub const fn variables(kind: Kind) -> &'static [&'static str] {
    match kind.secret() {
        None => &["name", "username"],
        Some(SecretKind::Link) => &["name", "username", "link", "expires"],
        Some(SecretKind::Otp) => &["name", "username", "otp", "otp_url", "expires"],
    }
}
