//! What callers say of a webhook.

use actix_web::http::StatusCode;
use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;

use crate::domain::event::EventType;
use crate::domain::webhook::Filter;
use crate::http::extract::optional_line;
use crate::http::problem::Problem;
use crate::service::webhooks::{NewWebhook, WebhookChange};

/// Longest description, in characters.
const DESCRIPTION_MAX: usize = 255;

/// A webhook to be.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({
    "url": "https://hooks.example.com/invited", "events": ["invitation.accepted", "invitation.expired"], "description": "HR portal"
}))]
pub(super) struct CreateWebhookRequest {
    /// `https`, without credentials or fragment, at an address that the operator lets be called.
    #[schema(max_length = 2048)]
    url: String,
    /// Names of events; none is all of them, also those to come.
    #[serde(default)]
    events: Vec<String>,
    #[schema(max_length = 255)]
    description: Option<String>,
}

impl CreateWebhookRequest {
    pub(super) fn read(self) -> Result<NewWebhook, Problem> {
        Ok(NewWebhook {
            url: self.url,
            events: filter(&self.events)?,
            description: optional_line("/description", self.description, DESCRIPTION_MAX)?,
        })
    }
}

/// What changes of a webhook; what is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"events": ["invitation.accepted"], "enabled": true}))]
pub(super) struct UpdateWebhookRequest {
    #[schema(max_length = 2048)]
    url: Option<String>,
    /// Names of events; none is all of them.
    events: Option<Vec<String>>,
    /// Null removes it.
    #[serde(default, deserialize_with = "present")]
    #[schema(max_length = 255, value_type = Option<String>)]
    #[expect(clippy::option_option, reason = "absent, null and a text are three things")]
    description: Option<Option<String>>,
    enabled: Option<bool>,
}

impl UpdateWebhookRequest {
    pub(super) fn read(self) -> Result<WebhookChange, Problem> {
        Ok(WebhookChange {
            url: self.url,
            events: self.events.as_deref().map(filter).transpose()?,
            description: self
                .description
                .map(|text| optional_line("/description", text, DESCRIPTION_MAX))
                .transpose()?,
            enabled: self.enabled,
        })
    }
}

/// Tells null from absent.
#[expect(clippy::option_option, reason = "absent, null and a text are three things")]
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

fn filter(names: &[String]) -> Result<Filter, Problem> {
    let read = |(index, name): (usize, &String)| {
        EventType::subscribable().find(|event| event.as_str() == name).ok_or_else(|| {
            let known: Vec<&str> = EventType::subscribable().map(EventType::as_str).collect();
            let detail = format!("must be one of {}", known.join(", "));
            Problem::field(StatusCode::BAD_REQUEST, format!("/events/{index}"), "unknown_event", detail)
        })
    };
    names.iter().enumerate().map(read).collect::<Result<_, _>>().map(Filter::new)
}
