//! The sections `callbacks.…`: what proves that a report comes from a gateway. A vendor without its key is not listened to.

use url::Url;

use super::layers::Layers;
use super::sections::url;
use super::{OutboundConfig, ServerConfig};
use crate::domain::secret::Secret;
use crate::gateway::receipts::{Mailgun, Postmark, Resend, SendGrid, Ses, Topic, Twilio, Vendors};

pub(super) fn vendors(layers: &mut Layers, server: &ServerConfig, outbound: &OutboundConfig) -> Vendors {
    let sendgrid = layers.optional_text("callbacks.sendgrid.public_key").and_then(|key| {
        let vendor = SendGrid::new(&key);
        let hint = "must be the verification key as SendGrid shows it: base64 of a P-256 key, without lines around it";
        noted(layers, "callbacks.sendgrid.public_key", vendor, hint)
    });
    let resend = secret(layers, "callbacks.resend.secret").and_then(|secret| {
        let hint = "must be the signing secret as Resend shows it: whsec_ and base64";
        noted(layers, "callbacks.resend.secret", Resend::new(&secret), hint)
    });
    let mailgun = secret(layers, "callbacks.mailgun.signing_key").map(|key| Mailgun::new(&key));
    let (twilio, ses, postmark) = (twilio(layers, server), ses(layers, outbound), postmark(layers));
    Vendors { twilio, sendgrid, resend, mailgun, ses, postmark }
}

fn twilio(layers: &mut Layers, server: &ServerConfig) -> Option<Twilio> {
    let auth_token = secret(layers, "callbacks.twilio.auth_token")?;
    let Some(public_url) = &server.public_url else {
        if !layers.is_given("server.public_url") {
            layers.fail("callbacks.twilio.auth_token", "needs server.public_url: Twilio signs the URL that it calls");
        }
        return None;
    };
    Some(Twilio::new(&auth_token, public_url.clone()))
}

fn ses(layers: &mut Layers, outbound: &OutboundConfig) -> Option<Ses> {
    const TOPIC: &str = "callbacks.ses.topic_arn";
    const ENDPOINT: &str = "callbacks.ses.endpoint";
    let endpoint: Option<Url> = url(layers, ENDPOINT, outbound);
    let Some(arn) = layers.optional_text(TOPIC) else {
        if layers.is_given(ENDPOINT) {
            layers.fail(ENDPOINT, format_args!("goes with {TOPIC}, which is not given"));
        }
        return None;
    };
    let topic = Topic::parse(&arn, endpoint);
    let topic = noted(layers, TOPIC, topic, "must be a topic such as arn:aws:sns:eu-west-1:123456789012:ses-events")?;
    Ses::new(&outbound.egress, topic).map_err(|error| layers.fail(TOPIC, error)).ok()
}

fn postmark(layers: &mut Layers) -> Option<Postmark> {
    const NAME: &str = "callbacks.postmark.username";
    const PASSWORD: &str = "callbacks.postmark.password";
    match (layers.optional_text(NAME), secret(layers, PASSWORD)) {
        (Some(name), _) if name.contains(':') => {
            layers.fail(NAME, "must not contain a colon");
            None
        }
        (Some(name), Some(password)) => Some(Postmark::new(&name, &password)),
        (Some(_), None) => {
            layers.fail_missing(PASSWORD);
            None
        }
        (None, Some(_)) => {
            layers.fail_missing(NAME);
            None
        }
        (None, None) => None,
    }
}

fn secret(layers: &Layers, key: &str) -> Option<Secret> {
    layers.optional_text(key).map(Secret::new)
}

/// The value, or a note of what is wrong with the key.
fn noted<T>(layers: &mut Layers, key: &str, value: Option<T>, hint: &str) -> Option<T> {
    if value.is_none() {
        layers.fail(key, hint);
    }
    value
}
