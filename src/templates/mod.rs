//! The words of messages: built-in texts in several languages, and the engine that renders these and tenants' own.
//!
//! A template is a source: text with `{{ variable }}` and `{% if variable %}`. Rendering knows a fixed set of variables and
//! fails on any other; HTML is escaped; a text part is always there. Nothing in here knows databases, gateways or HTTP.

mod built_in;
mod language;
mod languages;
mod render;

pub use built_in::built_in;
pub use render::{RenderError, RenderedEmail, email, sms};

/// The sources of one message in one language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// Of an e-mail.
    pub subject: Option<String>,
    pub text: String,
    /// Of an e-mail; made from the text when there is none.
    pub html: Option<String>,
}

#[cfg(test)]
mod tests;
