//! The endpoints that a tenant's events go to: what an administrator sets up, turns off, and tries out.

use std::time::Duration;

use super::{Alongside, Caller, Failure, Refusal, Service, ServiceError, ServiceResult};
use crate::domain::ids::{EndpointId, TenantId};
use crate::domain::secret::Secret;
use crate::domain::time::Timestamp;
use crate::domain::webhook::{DisabledReason, Endpoint, Filter, PreviousSecret, SigningSecret, bind};
use crate::storage::audit::{Actor, Event, record};
use crate::storage::{Connection, StorageError, webhooks};
pub use crate::webhook::Attempt;
use crate::webhook::test_body;

/// An endpoint to be.
pub struct NewWebhook {
    pub url: String,
    pub events: Filter,
    pub description: Option<String>,
}

/// What changes; what is `None` stays.
#[derive(Debug, Clone, Default)]
pub struct WebhookChange {
    pub url: Option<String>,
    pub events: Option<Filter>,
    /// `Some(None)` removes it.
    pub description: Option<Option<String>>,
    pub enabled: Option<bool>,
}

/// An endpoint with the secret that it was just given, shown this once.
#[derive(Clone)]
pub struct WithSecret {
    pub endpoint: Endpoint,
    pub secret: Secret,
}

impl Service {
    /// Adds an endpoint.
    ///
    /// # Errors
    /// [`Refusal::InvalidField`] for a URL that can't be one, [`Refusal::WebhookLimit`], or a failure.
    pub async fn create_webhook(
        &self,
        caller: &Caller,
        new: NewWebhook,
        alongside: Alongside<WithSecret>,
    ) -> ServiceResult<WithSecret> {
        let url = self.checked_url(&new.url)?;
        let now = self.clock.now();
        let id = crate::entropy::endpoint_id(now);
        let (secret, sealed) = self.new_secret(&caller.tenant, id)?;
        let endpoint = Endpoint {
            id,
            tenant: caller.tenant.clone(),
            url,
            events: new.events,
            description: new.description,
            secret: sealed,
            previous: None,
            disabled: None,
            failing_since: None,
            created_at: now,
            updated_at: now,
        };
        let (actor, created) = (caller.actor.clone(), WithSecret { endpoint, secret });
        self.store
            .write(move |conn| {
                if !webhooks::insert(conn, &created.endpoint)? {
                    return Err(ServiceError::from(Refusal::WebhookLimit));
                }
                let now = conn.now()?;
                note(conn, &actor, now, ("webhook.created", ""), &created.endpoint)?;
                alongside.write(conn, &created)?;
                Ok(created.clone())
            })
            .await
    }

    /// The tenant's endpoints, oldest first.
    ///
    /// # Errors
    /// A failure.
    pub async fn list_webhooks(&self, caller: &Caller) -> ServiceResult<Vec<Endpoint>> {
        let tenant = caller.tenant.clone();
        Ok(self.store.read(move |conn| webhooks::list(conn, &tenant)).await?)
    }

    /// One endpoint.
    ///
    /// # Errors
    /// [`Refusal::WebhookNotFound`], or a failure.
    pub async fn get_webhook(&self, caller: &Caller, id: EndpointId) -> ServiceResult<Endpoint> {
        let tenant = caller.tenant.clone();
        let found = self.store.read(move |conn| webhooks::find(conn, &tenant, id)).await?;
        Ok(found.ok_or(Refusal::WebhookNotFound)?)
    }

    /// Changes an endpoint. One that is turned off gets nothing more, also not what waits for it; turned on again it gets what happens from
    /// then on.
    ///
    /// # Errors
    /// [`Refusal::InvalidField`] for a URL that can't be one, [`Refusal::WebhookNotFound`], or a failure.
    pub async fn update_webhook(
        &self,
        caller: &Caller,
        id: EndpointId,
        mut change: WebhookChange,
    ) -> ServiceResult<Endpoint> {
        change.url = change.url.map(|url| self.checked_url(&url)).transpose()?;
        let (tenant, actor) = (caller.tenant.clone(), caller.actor.clone());
        self.store
            .write(move |conn| {
                let endpoint = webhooks::find_locked(conn, &tenant, id)?.ok_or(Refusal::WebhookNotFound)?;
                let now = conn.now()?;
                apply(conn, &actor, &endpoint, &change, now)?;
                Ok(webhooks::find(conn, &tenant, id)?.ok_or(Refusal::WebhookNotFound)?)
            })
            .await
    }

    /// Removes an endpoint; what waits for it is not sent.
    ///
    /// # Errors
    /// [`Refusal::WebhookNotFound`], or a failure.
    pub async fn delete_webhook(&self, caller: &Caller, id: EndpointId) -> ServiceResult<()> {
        let (tenant, actor) = (caller.tenant.clone(), caller.actor.clone());
        self.store
            .write(move |conn| {
                let endpoint = webhooks::find_locked(conn, &tenant, id)?.ok_or(Refusal::WebhookNotFound)?;
                let now = conn.now()?;
                if !webhooks::delete(conn, &tenant, id, now)? {
                    return Err(Refusal::WebhookNotFound.into());
                }
                Ok(note(conn, &actor, now, ("webhook.deleted", ""), &endpoint)?)
            })
            .await
    }

    /// Gives an endpoint a new secret; the one before signs as well for `overlap`. Of two rotations in a row the last two secrets count.
    ///
    /// # Errors
    /// [`Refusal::WebhookNotFound`], or a failure.
    pub async fn rotate_webhook_secret(
        &self,
        caller: &Caller,
        id: EndpointId,
        overlap: Duration,
        alongside: Alongside<WithSecret>,
    ) -> ServiceResult<WithSecret> {
        let (secret, sealed) = self.new_secret(&caller.tenant, id)?;
        let (tenant, actor) = (caller.tenant.clone(), caller.actor.clone());
        self.store
            .write(move |conn| {
                let mut endpoint = webhooks::find_locked(conn, &tenant, id)?.ok_or(Refusal::WebhookNotFound)?;
                let now = conn.now()?;
                let before = std::mem::replace(&mut endpoint.secret, sealed.clone());
                endpoint.previous =
                    (!overlap.is_zero()).then(|| PreviousSecret { sealed: before, until: now.after(overlap) });
                endpoint.updated_at = now;
                webhooks::update(conn, &endpoint)?;
                note(conn, &actor, now, ("webhook.secret_rotated", ""), &endpoint)?;
                let rotated = WithSecret { endpoint, secret: secret.clone() };
                alongside.write(conn, &rotated)?;
                Ok(rotated)
            })
            .await
    }

    /// Sends a `webhook.test` right now, whether or not the endpoint takes events, and tells how that went.
    ///
    /// # Errors
    /// [`Refusal::WebhookNotFound`], or a failure.
    pub async fn test_webhook(&self, caller: &Caller, id: EndpointId) -> ServiceResult<Attempt> {
        let endpoint = self.get_webhook(caller, id).await?;
        let now = self.clock.now();
        let message = crate::entropy::message_id(now).to_string();
        let body = test_body(&endpoint.tenant, endpoint.id, &message, now);
        Ok(self.webhooks.send(&endpoint, &message, body).await)
    }

    /// The URL as it was understood when it was checked, so that no other reader can understand it otherwise.
    fn checked_url(&self, url: &str) -> Result<String, Refusal> {
        self.webhooks.rules().check(url).map(String::from).map_err(|refusal| Refusal::InvalidField {
            pointer: "/url",
            code: refusal.code(),
            detail: refusal.to_string(),
        })
    }

    /// A new secret as it is shown, and as it is kept.
    fn new_secret(&self, tenant: &TenantId, id: EndpointId) -> Result<(Secret, Vec<u8>), Failure> {
        let secret = SigningSecret::new(crate::entropy::bytes());
        let sealed = bind(tenant, id, |bound_to| self.keys.seal(bound_to, secret.as_bytes()))?;
        Ok((secret.reveal(), sealed))
    }
}

/// Writes a change down under the name of what it changed; nothing when it changes nothing.
fn apply(
    conn: &mut Connection,
    actor: &Actor,
    endpoint: &Endpoint,
    change: &WebhookChange,
    now: Timestamp,
) -> Result<(), StorageError> {
    let mut changed = endpoint.clone();
    let mut fields = Vec::new();
    if let Some(url) = change.url.as_ref().filter(|url| **url != endpoint.url) {
        changed.url.clone_from(url);
        fields.push("url");
    }
    if let Some(events) = change.events.as_ref().filter(|events| **events != endpoint.events) {
        changed.events.clone_from(events);
        fields.push("events");
    }
    if let Some(description) = change.description.as_ref().filter(|text| **text != endpoint.description) {
        changed.description.clone_from(description);
        fields.push("description");
    }
    if change.enabled == Some(true) && endpoint.disabled.is_some() {
        (changed.disabled, changed.failing_since) = (None, None);
        fields.push("enabled");
    }
    if !fields.is_empty() {
        changed.updated_at = now;
        webhooks::update(conn, &changed)?;
        note(conn, actor, now, ("webhook.changed", &fields.join(",")), &changed)?;
    }
    if change.enabled == Some(false) && endpoint.disabled.is_none() {
        webhooks::disable(conn, actor, changed, DisabledReason::Administrator, now)?;
    }
    Ok(())
}

/// The audit row of a change to an endpoint.
fn note(
    conn: &mut Connection,
    actor: &Actor,
    now: Timestamp,
    (event, what): (&'static str, &str),
    endpoint: &Endpoint,
) -> Result<(), StorageError> {
    let detail = format!("{} {what}", endpoint.id);
    let event = Event { event, tenant: &endpoint.tenant, invitation: None, account: None, detail: detail.trim_end() };
    record(conn, actor, now, &event)
}
