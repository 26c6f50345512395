//! From a template and a payload to the words that a person reads.

use std::collections::BTreeMap;

use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, ErrorKind, UndefinedBehavior};

use super::html;
use super::language::Language;
use crate::domain::invitation::Channel;
use crate::domain::locale::Locale;
use crate::domain::message::{Kind, Payload, Template};

/// Steps that one rendering may take; a template of the largest size needs fewer.
const FUEL: u64 = 100_000;

/// A template that does not compile, or lacks a variable.
#[derive(Debug, thiserror::Error)]
#[error("a message could not be rendered")]
pub struct RenderError(#[from] minijinja::Error);

impl RenderError {
    /// Whether a variable without a value was to be printed.
    pub(super) fn is_value_missing(&self) -> bool {
        self.0.kind() == ErrorKind::UndefinedError
    }

    /// In which line (from 1) it goes wrong.
    pub(super) fn line(&self) -> Option<usize> {
        self.0.line()
    }

    pub(super) fn detail(&self) -> Option<&str> {
        self.0.detail()
    }
}

/// A finished message. Holds a secret, so it cannot be printed.
pub enum Rendered {
    Email { subject: String, text: String, html: String },
    Sms { text: String },
}

/// What a message says, with spans said in the language of the template's locale. HTML that the template lacks is made from
/// its text.
///
/// # Errors
/// [`RenderError`] when the template does not compile or a variable is missing.
pub fn render(kind: Kind, locale: &Locale, template: &Template, payload: &Payload) -> Result<Rendered, RenderError> {
    let text = plain(&template.text, locale, payload)?;
    if kind.channel() == Channel::Sms {
        return Ok(Rendered::Sms { text: with_autofill(text, payload) });
    }
    let subject = template.subject.as_deref().unwrap_or_default();
    let html = match &template.html {
        Some(source) => html(source, locale, payload)?,
        None => html(&html::from_text(locale.as_str(), subject, &template.text), locale, payload)?,
    };
    Ok(Rendered::Email { subject: plain(subject, locale, payload)?, text, html })
}

/// A code is repeated in a last line that phones offer to fill in, on the page of its host only (WICG, origin-bound one-time
/// codes), when there is such a host.
fn with_autofill(text: String, payload: &Payload) -> String {
    match (&payload.autofill_host, &payload.otp) {
        (Some(host), Some(otp)) => format!("{}\n\n@{host} #{otp}", text.trim_end()),
        _ => text,
    }
}

/// One part, as text.
pub(super) fn plain(source: &str, locale: &Locale, payload: &Payload) -> Result<String, RenderError> {
    expand(source, AutoEscape::None, locale, payload)
}

/// One part, as HTML: values are escaped.
pub(super) fn html(source: &str, locale: &Locale, payload: &Payload) -> Result<String, RenderError> {
    expand(source, AutoEscape::Html, locale, payload)
}

/// What the variables stand for; one that has no value is not there.
fn values(locale: &Locale, payload: &Payload) -> BTreeMap<&'static str, String> {
    let name = payload.name.as_ref().unwrap_or(&payload.username);
    let expires = payload.expires_in_minutes.map(|minutes| Language::nearest(locale.as_str()).span(minutes));
    let values = [
        ("name", Some(name.clone())),
        ("username", Some(payload.username.clone())),
        ("link", payload.link.clone()),
        ("otp", payload.otp.clone()),
        ("otp_url", payload.otp_url.clone()),
        ("expires", expires),
    ];
    values.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

/// An engine that knows no filters, tests, functions or other templates, and takes a bounded number of steps.
fn expand(source: &str, escape: AutoEscape, locale: &Locale, payload: &Payload) -> Result<String, RenderError> {
    let mut environment = Environment::empty();
    environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    environment.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
    environment.set_auto_escape_callback(move |_| escape.clone());
    environment.set_fuel(Some(FUEL));
    Ok(environment.template_from_str(source)?.render(values(locale, payload))?)
}
