//! The JSON forms of templates.

use actix_web::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::locale::Origin;
use crate::domain::message::{Kind, Template};
use crate::domain::settings::is_expiry;
use crate::http::extract::optional_line;
use crate::http::problem::Problem;
use crate::service::templates::{
    EffectiveTemplate, Rendered, SampleValues, TemplateEntry, TemplateName, built_in_locales, sms_size, variables,
};

/// What a template says.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({
    "subject": "Welcome to Example, {{ name }}",
    "text": "Hello {{ name }},\n\nset your password here:\n\n{{ link }}\n\n{% if expires %}The link works for {{ expires }}.{% endif %}"
}))]
pub(super) struct TemplateBody {
    /// Of an e-mail: one line of at most 200 characters.
    subject: Option<String>,
    /// At most 16 KiB.
    text: String,
    /// Of an e-mail, at most 64 KiB; made from the text when absent.
    html: Option<String>,
}

impl From<TemplateBody> for Template {
    fn from(body: TemplateBody) -> Self {
        Self { subject: body.subject, text: body.text, html: body.html }
    }
}

/// What to try out.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({
    "template": {"subject": "Welcome, {{ name }}", "text": "Set your password here: {{ link }}"},
    "values": {"name": "Alex", "expiresInMinutes": 90}
}))]
pub(super) struct PreviewRequest {
    /// A draft; absent: the template that takes effect.
    #[serde(default, deserialize_with = "crate::http::extract::optional_object")]
    template: Option<TemplateBody>,
    /// Values in place of samples.
    #[serde(default, deserialize_with = "crate::http::extract::optional_object")]
    values: Option<ValuesBody>,
}

/// Values to try a template with.
#[derive(Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ValuesBody {
    name: Option<String>,
    username: Option<String>,
    link: Option<String>,
    otp: Option<String>,
    otp_url: Option<String>,
    /// -1 never expires.
    expires_in_minutes: Option<i64>,
}

impl PreviewRequest {
    /// The draft and the values, these checked as those of a message are.
    pub(super) fn parts(self) -> Result<(Option<Template>, SampleValues), Problem> {
        let values = self.values.unwrap_or_default();
        if values.expires_in_minutes.is_some_and(|minutes| !is_expiry(minutes)) {
            let detail = "must be -1 (never), 0 (at once) or 1 to 10080 minutes";
            let pointer = "/values/expiresInMinutes";
            return Err(Problem::field(StatusCode::BAD_REQUEST, pointer, "out_of_range", detail));
        }
        let values = SampleValues {
            name: optional_line("/values/name", values.name, 128)?,
            username: optional_line("/values/username", values.username, 255)?,
            link: optional_line("/values/link", values.link, 2048)?,
            otp: optional_line("/values/otp", values.otp, 64)?,
            otp_url: optional_line("/values/otpUrl", values.otp_url, 2048)?,
            expires_in_minutes: values.expires_in_minutes,
        };
        Ok((self.template.map(Template::from), values))
    }
}

/// The template that takes effect for a kind and a locale.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "kind": "invitation_email_link", "locale": "de-CH", "channel": "email", "source": "tenant", "sourceLocale": "de-CH",
    "subject": "Willkommen, {{ name }}", "text": "Guten Tag {{ name }}, hier ist Ihr Link: {{ link }}",
    "variables": ["name", "username", "link", "expires"], "updatedAt": "2026-11-24T10:00:00.000Z"
}))]
pub(super) struct TemplateView {
    kind: &'static str,
    /// The locale asked for.
    locale: String,
    /// `email` or `sms`.
    channel: &'static str,
    /// `tenant` or `built_in`.
    source: &'static str,
    /// The locale that the template was found under.
    source_locale: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    text: String,
    /// Absent for an SMS, and when it is made from the text.
    #[serde(skip_serializing_if = "Option::is_none")]
    html: Option<String>,
    /// What may stand between `{{` and `}}`.
    variables: &'static [&'static str],
    /// Last change of the tenant's own template of exactly this locale.
    #[serde(skip_serializing_if = "Option::is_none")]
    updated_at: Option<String>,
}

impl From<EffectiveTemplate> for TemplateView {
    fn from(found: EffectiveTemplate) -> Self {
        let EffectiveTemplate { name: TemplateName { kind, locale }, chosen, own } = found;
        Self {
            kind: kind.as_str(),
            locale: locale.as_str().to_owned(),
            channel: kind.channel().as_str(),
            source: match chosen.origin {
                Origin::Tenant => "tenant",
                Origin::BuiltIn => "built_in",
            },
            source_locale: chosen.locale.as_str().to_owned(),
            subject: chosen.text.subject,
            text: chosen.text.text,
            html: chosen.text.html,
            variables: variables(kind),
            updated_at: own.map(|(_, at)| at.to_rfc3339()),
        }
    }
}

/// What a tenant has of its own, and what is built in.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "items": [{"kind": "invitation_email_link", "locale": "de-CH", "updatedAt": "2026-11-24T10:00:00.000Z"}],
    "kinds": [{"kind": "activation_sms", "channel": "sms", "variables": ["name", "username"]}],
    "locales": ["en", "de", "fr", "es", "pt", "si", "ta", "ja"]
}))]
pub(super) struct TemplateListView {
    /// The tenant's own templates, at most 500.
    items: Vec<TemplateEntryView>,
    /// Every kind of message.
    kinds: Vec<KindView>,
    /// Locales that every kind is built in for.
    locales: Vec<&'static str>,
}

/// A template of the tenant's own.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct TemplateEntryView {
    kind: &'static str,
    locale: String,
    updated_at: String,
}

/// A kind of message.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct KindView {
    kind: &'static str,
    /// `email` or `sms`.
    channel: &'static str,
    /// What may stand between `{{` and `}}`.
    variables: &'static [&'static str],
}

impl From<Vec<TemplateEntry>> for TemplateListView {
    fn from(entries: Vec<TemplateEntry>) -> Self {
        let items = entries.into_iter().map(|entry| TemplateEntryView {
            kind: entry.kind.as_str(),
            locale: entry.locale.as_str().to_owned(),
            updated_at: entry.updated_at.to_rfc3339(),
        });
        let kinds = Kind::ALL.iter().copied().filter(|kind| kind.channel().is_to_people());
        let kinds = kinds.map(|kind| KindView {
            kind: kind.as_str(),
            channel: kind.channel().as_str(),
            variables: variables(kind),
        });
        Self { items: items.collect(), kinds: kinds.collect(), locales: built_in_locales().collect() }
    }
}

/// What a message would say: an e-mail's subject, text and HTML, or an SMS's text and how it is counted.
#[derive(Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "subject": "Welcome, Alex", "text": "Set your password here: https://app.example.com/set-password#token=SAMPLE-TOKEN",
    "html": "<!doctype html>…"
}))]
pub(super) struct PreviewView {
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    html: Option<String>,
    /// How many messages the SMS is paid as.
    #[serde(skip_serializing_if = "Option::is_none")]
    segments: Option<usize>,
    /// `gsm7` or `ucs2`.
    #[serde(skip_serializing_if = "Option::is_none")]
    encoding: Option<&'static str>,
    /// Units of the encoding that the SMS takes: septets, or UTF-16 code units.
    #[serde(skip_serializing_if = "Option::is_none")]
    characters: Option<usize>,
    /// Units that are free in the last segment.
    #[serde(skip_serializing_if = "Option::is_none")]
    remaining: Option<usize>,
}

impl From<Rendered> for PreviewView {
    fn from(rendered: Rendered) -> Self {
        match rendered {
            Rendered::Email { subject, text, html } => {
                Self { subject: Some(subject), text, html: Some(html), ..Self::default() }
            }
            Rendered::Sms { text } => {
                let size = sms_size(&text);
                Self {
                    text,
                    segments: Some(size.segments),
                    encoding: Some(size.encoding),
                    characters: Some(size.characters),
                    remaining: Some(size.remaining),
                    ..Self::default()
                }
            }
        }
    }
}
