//! A webhook as callers see it.

use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::time::Timestamp;
use crate::domain::webhook::Endpoint;
use crate::service::webhooks::WithSecret;

/// A webhook. Its secret is never in it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "id": "whe_0198c0de7c5a7d0c9c0f3b1f6f6b2a11", "url": "https://hooks.example.com/invited",
    "events": ["invitation.accepted", "invitation.expired"], "description": "HR portal", "enabled": true, "disabledReason": null,
    "disabledAt": null, "failingSince": null, "previousSecretExpiresAt": null,
    "createdAt": "2026-11-24T10:00:00.000Z", "updatedAt": "2026-11-24T10:00:00.000Z"
}))]
pub(super) struct WebhookView {
    id: String,
    url: String,
    /// None is all of them.
    events: Vec<&'static str>,
    description: Option<String>,
    enabled: bool,
    /// `administrator`, `gone` (it answered with 410) or `failing` (nothing has reached it for five days).
    disabled_reason: Option<&'static str>,
    disabled_at: Option<String>,
    /// The first failure since the last success.
    failing_since: Option<String>,
    /// Until then the secret before the last rotation signs as well; null when there is none.
    previous_secret_expires_at: Option<String>,
    created_at: String,
    updated_at: String,
}

impl From<&Endpoint> for WebhookView {
    fn from(endpoint: &Endpoint) -> Self {
        let time = |at: Option<Timestamp>| at.map(Timestamp::to_rfc3339);
        Self {
            id: endpoint.id.to_string(),
            url: endpoint.url.clone(),
            events: endpoint.events.names(),
            description: endpoint.description.clone(),
            enabled: endpoint.disabled.is_none(),
            disabled_reason: endpoint.disabled.map(|disabled| disabled.reason.as_str()),
            disabled_at: time(endpoint.disabled.map(|disabled| disabled.at)),
            failing_since: time(endpoint.failing_since),
            previous_secret_expires_at: time(endpoint.previous.as_ref().map(|previous| previous.until)),
            created_at: endpoint.created_at.to_rfc3339(),
            updated_at: endpoint.updated_at.to_rfc3339(),
        }
    }
}

/// The tenant's webhooks.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"items": [{
    "id": "whe_0198c0de7c5a7d0c9c0f3b1f6f6b2a11", "url": "https://hooks.example.com/invited",
    "events": ["invitation.accepted", "invitation.expired"], "description": "HR portal", "enabled": true, "disabledReason": null,
    "disabledAt": null, "failingSince": null, "previousSecretExpiresAt": null,
    "createdAt": "2026-11-24T10:00:00.000Z", "updatedAt": "2026-11-24T10:00:00.000Z"
}]}))]
pub(super) struct WebhookListView {
    items: Vec<WebhookView>,
}

impl From<&[Endpoint]> for WebhookListView {
    fn from(endpoints: &[Endpoint]) -> Self {
        Self { items: endpoints.iter().map(WebhookView::from).collect() }
    }
}

/// A webhook with the secret that it was just given.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "id": "whe_0198c0de7c5a7d0c9c0f3b1f6f6b2a11", "url": "https://hooks.example.com/invited",
    "events": ["invitation.accepted", "invitation.expired"], "description": "HR portal", "enabled": true, "disabledReason": null,
    "disabledAt": null, "failingSince": null, "previousSecretExpiresAt": null,
    "createdAt": "2026-11-24T10:00:00.000Z", "updatedAt": "2026-11-24T10:00:00.000Z",
    "secret": "whsec_BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc="
}))]
pub(super) struct CreatedWebhookView {
    #[serde(flatten)]
    webhook: WebhookView,
    /// `whsec_` and base64 of 32 bytes; shown this once.
    secret: String,
}

impl From<&WithSecret> for CreatedWebhookView {
    fn from(given: &WithSecret) -> Self {
        Self { webhook: WebhookView::from(&given.endpoint), secret: given.secret.expose().to_owned() }
    }
}
