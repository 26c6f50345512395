//! Templates of a request: text with `{{ variable }}` and `{% if variable %}`, in which every value is encoded for its place.
//!
//! No filter, test or block can turn that off: the encoding is the formatter's, which knows nothing of them.

use std::collections::BTreeMap;

use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::domain::contact::Email;
use crate::gateway::{EmailMessage, SmsMessage};

/// Steps that one rendering may take.
const FUEL: u64 = 10_000;
/// What stands for itself in any part of a URL (RFC 3986 §2.3).
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// How a value is written.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place {
    /// As a JSON text, quotes included.
    Json,
    /// Percent-encoded.
    Url,
    /// As it is: in a header, or in a field of a form, which is encoded as a whole.
    Plain,
}

/// What the variables stand for.
pub(super) type Values<'a> = BTreeMap<&'static str, &'a str>;

pub(super) fn of_email<'a>(message: &EmailMessage<'a>, from: &'a str) -> Values<'a> {
    BTreeMap::from([
        ("message_id", message.message_id),
        ("tenant", message.tenant),
        ("kind", message.kind),
        ("to", message.to.as_str()),
        ("to_name", message.to_name.unwrap_or_default()),
        ("from", from),
        ("reply_to", message.reply_to.map(Email::as_str).unwrap_or_default()),
        ("subject", message.subject),
        ("text", message.text),
        ("html", message.html),
    ])
}

pub(super) fn of_sms<'a>(message: &SmsMessage<'a>, from: &'a str) -> Values<'a> {
    BTreeMap::from([
        ("message_id", message.message_id),
        ("tenant", message.tenant),
        ("kind", message.kind),
        ("to", message.to.as_str()),
        ("to_digits", message.to.as_str().trim_start_matches('+')),
        ("from", from),
        ("text", message.text),
    ])
}

/// # Errors
/// A template that does not compile, or names a variable that there is not.
pub(super) fn render(source: &str, place: Place, values: &Values<'_>) -> Result<String, Error> {
    let mut environment = Environment::empty();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    environment.set_formatter(move |out, _, value| {
        let text = value.as_str().ok_or_else(|| Error::new(ErrorKind::InvalidOperation, "is not a variable"))?;
        match place {
            Place::Json => write!(out, "{}", serde_json::Value::from(text))?,
            Place::Url => write!(out, "{}", utf8_percent_encode(text, RESERVED))?,
            Place::Plain => out.write_str(text)?,
        }
        Ok(())
    });
    let values: BTreeMap<&str, String> = values.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    environment.template_from_str(source)?.render(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(source: &str, place: Place) -> Result<String, ErrorKind> {
        let text = "a\"b\\c\n{{ to }}&d=ü";
        render(source, place, &Values::from([("text", text), ("to", "+94")])).map_err(|error| error.kind())
    }

    #[test]
    fn a_value_can_not_leave_its_place() {
        let json = rendered(r#"{"text": {{ text }}, "to": {{to}}}"#, Place::Json).unwrap();
        let parsed: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(parsed, serde_json::json!({"text": "a\"b\\c\n{{ to }}&d=ü", "to": "+94"}));
        let url = rendered("https://x/{{ to }}?t={{ text }}", Place::Url).unwrap();
        assert_eq!(url, "https://x/%2B94?t=a%22b%5Cc%0A%7B%7B%20to%20%7D%7D%26d%3D%C3%BC");
        assert_eq!(rendered("{% autoescape false %}{{ to }}{% endautoescape %}", Place::Json).unwrap(), "\"+94\"");
        assert_eq!(rendered("{% if to %}{{ to }}{% endif %}", Place::Plain).unwrap(), "+94");
    }

    #[test]
    fn what_is_no_variable_is_an_error() {
        assert_eq!(rendered("{{ nope }}", Place::Plain), Err(ErrorKind::UndefinedError));
        assert_eq!(rendered("{{ to", Place::Plain), Err(ErrorKind::SyntaxError));
        assert_eq!(rendered("{{ text | safe }}", Place::Json), Err(ErrorKind::UnknownFilter));
        assert_eq!(rendered("{{ 1 + 1 }}", Place::Json), Err(ErrorKind::InvalidOperation));
        assert_eq!(
            rendered("{% for i in range(100000000) %}{% endfor %}", Place::Json),
            Err(ErrorKind::UnknownFunction)
        );
    }
}
