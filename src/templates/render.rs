//! From a template and a payload to the words that a person reads.

use std::collections::BTreeMap;

use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};

use super::Template;
use super::language::Language;
use crate::domain::message::Payload;

/// Steps that one rendering may take; a template of the largest size needs fewer.
const FUEL: u64 = 100_000;

/// A template that does not compile, or lacks a variable. Its text is for the log only.
#[derive(Debug, thiserror::Error)]
#[error("a message could not be rendered")]
pub struct RenderError(#[from] minijinja::Error);

/// A finished e-mail. Holds a secret, so it cannot be printed.
pub struct RenderedEmail {
    pub subject: String,
    pub text: String,
    pub html: String,
}

/// Subject, text and HTML of an e-mail, with spans said in the language of `tag`.
///
/// # Errors
/// [`RenderError`] when the template does not compile or a variable is missing.
pub fn email(template: &Template, tag: &str, payload: &Payload) -> Result<RenderedEmail, RenderError> {
    let values = values(tag, payload);
    let subject = template.subject.as_deref().unwrap_or_default();
    let html = template.html.as_deref().unwrap_or_default();
    Ok(RenderedEmail {
        subject: render(subject, AutoEscape::None, &values)?,
        text: render(&template.text, AutoEscape::None, &values)?,
        html: render(html, AutoEscape::Html, &values)?,
    })
}

/// The text of an SMS, with spans said in the language of `tag`.
///
/// # Errors
/// As [`email`].
pub fn sms(template: &Template, tag: &str, payload: &Payload) -> Result<String, RenderError> {
    render(&template.text, AutoEscape::None, &values(tag, payload))
}

/// What the variables stand for; one that has no value is not there.
fn values(tag: &str, payload: &Payload) -> BTreeMap<&'static str, String> {
    let name = payload.name.as_ref().unwrap_or(&payload.username);
    let expires = payload.expires_in_minutes.map(|minutes| Language::nearest(tag).span(minutes));
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
fn render(source: &str, escape: AutoEscape, values: &BTreeMap<&str, String>) -> Result<String, RenderError> {
    let mut environment = Environment::empty();
    environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    environment.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
    environment.set_auto_escape_callback(move |_| escape.clone());
    environment.set_fuel(Some(FUEL));
    Ok(environment.template_from_str(source)?.render(values)?)
}
