//! What a tenant's template has to be before it is stored: whole, small, harmless, and with its secret in it.
//!
//! What can be done in a template depends only on which variables have a value, and only the expiry may lack one. So a
//! template that renders rightly with it and without it renders rightly for everybody.

use std::fmt::Write as _;

use super::html::{self, HtmlProblem, Planted};
use super::render::{self, RenderError};
use super::segments::sms_size;
use super::syntax::{Piece, names, scan};
use super::variables;
use crate::domain::invitation::Channel;
use crate::domain::locale::Locale;
use crate::domain::message::{Kind, Payload, SecretKind, Template};
use crate::domain::text::is_unsafe_char;

/// Longest subject, in characters.
pub(super) const SUBJECT_MAX: usize = 200;
/// Longest text part, in bytes.
pub(super) const TEXT_MAX: usize = 16 * 1024;
/// Longest HTML part, in bytes.
pub(super) const HTML_MAX: usize = 64 * 1024;
/// How often one part may name variables.
pub(super) const VARIABLES_MAX: usize = 200;
/// Most segments of an SMS, counted with sample values.
pub(super) const SEGMENTS_MAX: usize = 10;

/// One thing wrong with a template: the field, which rule, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateProblem {
    /// `/subject`, `/text` or `/html`.
    pub pointer: &'static str,
    pub code: &'static str,
    pub detail: String,
}

type Checked = Result<(), TemplateProblem>;

/// Checks a template for a kind of message and a locale.
///
/// # Errors
/// The first problem found.
pub fn check(kind: Kind, locale: &Locale, template: &Template) -> Checked {
    check_parts(kind, template)?;
    for (pointer, source, max) in
        [("/text", Some(&template.text), TEXT_MAX), ("/html", template.html.as_ref(), HTML_MAX)]
    {
        let Some(source) = source else { continue };
        check_size(pointer, source, max)?;
        check_words(pointer, source, variables(kind))?;
    }
    if let Some(subject) = &template.subject {
        check_subject(subject)?;
        let harmless: Vec<_> =
            variables(kind).iter().copied().filter(|name| !matches!(*name, "link" | "otp" | "otp_url")).collect();
        check_words("/subject", subject, &harmless)?;
    }
    check_rendered(kind, locale, template)
}

fn check_parts(kind: Kind, template: &Template) -> Checked {
    let is_sms = kind.channel() == Channel::Sms;
    match (&template.subject, &template.html) {
        (Some(_), _) if is_sms => problem("/subject", "not_for_sms", "an SMS has only a text"),
        (_, Some(_)) if is_sms => problem("/html", "not_for_sms", "an SMS has only a text"),
        (None, _) if !is_sms => problem("/subject", "missing", "is required"),
        _ if template.text.trim().is_empty() => problem("/text", "empty", "must not be empty"),
        _ => Ok(()),
    }
}

fn check_size(pointer: &'static str, source: &str, max: usize) -> Checked {
    if source.len() > max {
        return problem(pointer, "too_long", format!("is longer than {max} bytes"));
    }
    if source.chars().any(|c| is_unsafe_char(c) && c != '\n' && c != '\t') {
        return problem(pointer, "control_character", "contains a control character or an invisible direction mark");
    }
    Ok(())
}

fn check_subject(subject: &str) -> Checked {
    crate::domain::text::one_line(subject, SUBJECT_MAX).or_else(|error| {
        use crate::domain::text::TextError;
        let code = match error {
            TextError::Empty => "empty",
            TextError::TooLong(_) => "too_long",
            _ => "control_character",
        };
        problem("/subject", code, error.to_string())
    })
}

/// The syntax, and that only `allowed` variables are named.
fn check_words(pointer: &'static str, source: &str, allowed: &[&str]) -> Checked {
    let pieces = match scan(source) {
        Ok(pieces) => pieces,
        Err(misread) => return problem(pointer, "syntax_error", format!("line {}: {}", misread.line, misread.detail)),
    };
    let mentioned: Vec<_> = pieces.iter().flat_map(names).collect();
    if let Some(unknown) = mentioned.iter().find(|name| !allowed.contains(name)) {
        let unknown: String = unknown.chars().take(64).collect();
        let detail = format!("`{unknown}` is not known here; there are: {}", allowed.join(", "));
        return problem(pointer, "unknown_variable", detail);
    }
    if pieces.iter().filter(|piece| !matches!(piece, Piece::Text(_))).count() > VARIABLES_MAX {
        return problem(
            pointer,
            "too_many_variables",
            format!("has more than {VARIABLES_MAX} variables and conditions"),
        );
    }
    Ok(())
}

/// Renders with and without an expiry, and looks at what comes out.
fn check_rendered(kind: Kind, locale: &Locale, template: &Template) -> Checked {
    for expires_in_minutes in [Some(90), None] {
        let payload = planted(expires_in_minutes);
        let plain =
            |pointer, source: &str| render::plain(source, locale, &payload).map_err(|e| unrenderable(pointer, &e));
        if let Some(subject) = &template.subject {
            plain("/subject", subject)?;
        }
        let text = plain("/text", &template.text)?;
        check_secret("/text", kind, &text)?;
        if kind.channel() == Channel::Sms && sms_size(&text).segments > SEGMENTS_MAX {
            return problem("/text", "too_long", format!("takes more than {SEGMENTS_MAX} segments"));
        }
        if let Some(source) = &template.html {
            let rendered = render::html(source, locale, &payload).map_err(|error| unrenderable("/html", &error))?;
            let seen = html::check(&rendered, &PLANTED).map_err(|found| unfit(&found))?;
            check_secret("/html", kind, &seen)?;
        }
    }
    Ok(())
}

const NAME: &str = "Al \" onx=1 ' ony=2 <z> ex";
const USERNAME: &str = "al' onx=1 \" ony=2 <z> ex";
const LINK: &str = "https://planted.invalid/set?x=1&y=2#token=Pl4nted";
const OTP: &str = "Pl4ntedC0de";
const OTP_URL: &str = "https://planted.invalid/enter?x=1&y=2";
const PLANTED: Planted<'static> =
    Planted { addresses: &[LINK, OTP_URL], values: &[NAME, USERNAME, LINK, OTP, OTP_URL] };

/// Values that show where they come out, and that break out of where they should not be.
fn planted(expires_in_minutes: Option<i64>) -> Payload {
    Payload {
        to: String::new(),
        name: Some(NAME.to_owned()),
        username: USERNAME.to_owned(),
        locale: String::new(),
        fallback_locale: String::new(),
        link: Some(LINK.to_owned()),
        otp: Some(OTP.to_owned()),
        otp_url: Some(OTP_URL.to_owned()),
        expires_in_minutes,
        autofill_host: None,
        sms_from: None,
        email_from: None,
        reply_to: None,
    }
}

fn check_secret(pointer: &'static str, kind: Kind, rendered: &str) -> Checked {
    let (variable, value) = match kind.secret() {
        None => return Ok(()),
        Some(SecretKind::Link) => ("link", LINK),
        Some(SecretKind::Otp) => ("otp", OTP),
    };
    if rendered.contains(value) {
        return Ok(());
    }
    problem(pointer, "placeholder_missing", format!("must always contain {{{{ {variable} }}}}"))
}

fn unrenderable(pointer: &'static str, error: &RenderError) -> TemplateProblem {
    if error.is_value_missing() {
        let detail =
            "`expires` has no value when the message never expires: put it inside {% if expires %} … {% endif %}";
        return TemplateProblem { pointer, code: "value_missing", detail: detail.to_owned() };
    }
    let mut detail = String::new();
    if let Some(line) = error.line() {
        write!(detail, "line {line}: ").ok();
    }
    detail.push_str(error.detail().unwrap_or("is not a template"));
    TemplateProblem { pointer, code: "syntax_error", detail }
}

fn unfit(found: &HtmlProblem) -> TemplateProblem {
    let short = |name: &str| name.chars().filter(|c| !is_unsafe_char(*c)).take(32).collect::<String>();
    let detail = match found {
        HtmlProblem::Element(name) => format!("the element `{}` is not allowed", short(name)),
        HtmlProblem::Attribute(name) => format!("the attribute `{}` is not allowed there", short(name)),
        HtmlProblem::Style => "a style must not load anything or hold a variable".to_owned(),
        HtmlProblem::Comment => "comments are written {# like this #}".to_owned(),
        HtmlProblem::Address => {
            "an address is {{ link }}, {{ otp_url }}, or one without variables (http, https, mailto, tel)".to_owned()
        }
    };
    TemplateProblem { pointer: "/html", code: "html_not_allowed", detail }
}

fn problem(pointer: &'static str, code: &'static str, detail: impl Into<String>) -> Checked {
    Err(TemplateProblem { pointer, code, detail: detail.into() })
}
