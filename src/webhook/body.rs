//! What an event says: ids and states, and the names of whom it is about as long as they are known here. No secrets, no addresses.

use serde_json::{Map, Value, json};

use crate::domain::account::Account;
use crate::domain::event::EventType;
use crate::domain::ids::{EndpointId, InvitationId, TenantId};
use crate::domain::invitation::Invitation;
use crate::domain::time::Timestamp;

/// An event, with what is known of whom it is about at the time of sending. Once a person was erased that is nothing.
pub struct Told<'a> {
    pub event: EventType,
    /// The entry of the audit trail.
    pub id: String,
    pub at: Timestamp,
    pub tenant: &'a TenantId,
    /// A short fact such as an error's code.
    pub detail: &'a str,
    pub invitation_id: Option<InvitationId>,
    pub invitation: Option<&'a Invitation>,
    pub account: Option<&'a Account>,
    /// When it is sent; the state is that of now.
    pub now: Timestamp,
}

impl Told<'_> {
    /// The body.
    #[must_use]
    pub fn body(&self) -> String {
        let mut data = Map::new();
        let mut put = |name: &str, value: Value| data.insert(name.to_owned(), value);
        put("eventId", json!(self.id));
        put("tenant", json!(self.tenant.as_str()));
        if let Some(id) = self.invitation_id {
            put("invitationId", json!(id.to_string()));
        }
        if let Some(account) = self.account {
            put("userId", json!(account.user_id));
            put("username", json!(account.username.as_str()));
            put("realm", json!(account.realm.as_str()));
        }
        if let Some(invitation) = self.invitation {
            // Closer to what the platform calls the person than the account, which knows the first spelling only.
            put("userId", json!(invitation.person.id));
            put("username", json!(invitation.username.as_str()));
            put("realm", json!(invitation.realm.as_str()));
            put("purpose", json!(invitation.purpose.as_str()));
            put("method", json!(invitation.method.as_str()));
            put("status", json!(invitation.status_at(self.now).as_str()));
        }
        if !self.detail.is_empty() {
            put("detail", json!(self.detail));
        }
        envelope(self.event, self.at, &Value::Object(data))
    }
}

/// What an administrator's test sends.
#[must_use]
pub fn test_body(tenant: &TenantId, endpoint: EndpointId, id: &str, now: Timestamp) -> String {
    let data = json!({"eventId": id, "tenant": tenant.as_str(), "endpointId": endpoint.to_string()});
    envelope(EventType::Test, now, &data)
}

fn envelope(event: EventType, at: Timestamp, data: &Value) -> String {
    json!({"type": event.as_str(), "timestamp": at.to_rfc3339(), "data": data}).to_string()
}
