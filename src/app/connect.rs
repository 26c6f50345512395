//! Tries what the configuration leads to, without a message to a person or a change in the directory.

use std::sync::Arc;

use super::{directory, gateways};
use crate::clock::Clock;
use crate::config::Config;
use crate::directory::DirectoryError;
use crate::domain::ids::{Realm, TenantId, UserStore, Username};
use crate::outbound::ProxyFault;

/// Somebody whom no directory has; asking for him shows that it can be asked.
const NOBODY: &str = "invited.check-config";

/// A part of the outside, and what is wrong with it, in words.
pub type Tried = (&'static str, Result<(), String>);

/// Asks each gateway and the directory whether they know us.
///
/// # Errors
/// What can't be used at all, in words that name the configuration's key.
pub async fn connect(mut config: Config, clock: Arc<dyn Clock>) -> anyhow::Result<Vec<Tried>> {
    let (email, sms) = gateways(&config.outbound.egress, (config.email.take(), config.sms.take()), &clock)?;
    let directory = directory(&config, clock, Arc::default())?;
    let mut tried = Vec::new();
    if let Some(email) = email {
        tried.push(("email", email.probe().await.map_err(|error| error.to_string())));
    }
    if let Some(sms) = sms {
        tried.push(("sms", sms.probe().await.map_err(|error| error.to_string())));
    }
    let (tenant, realm, nobody) = (TenantId::default_tenant(), Realm::parse("PRIMARY")?, Username::parse(NOBODY)?);
    let found = directory.find_user(UserStore { tenant: &tenant, realm: &realm }, &nobody).await;
    tried.push((
        "directory",
        match found {
            Ok(_) | Err(DirectoryError::NotFound) => Ok(()),
            Err(error) => Err(in_words(&error)),
        },
    ));
    Ok(tried)
}

/// What is wrong with the directory, or with the proxy on the way to it.
fn in_words(error: &DirectoryError) -> String {
    let code = if let DirectoryError::NotApplied(code) = error { code } else { "" };
    ProxyFault::of_code(code).map_or_else(|| error.to_string(), |fault| format!("{fault} ({code})"))
}
