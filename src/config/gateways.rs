//! The sections `email` and `sms`: which driver, and what that one needs.
//!
//! What a driver reads is what its section may hold: a key that is given and not read belongs to another driver, and is named.

mod http;

use std::collections::BTreeSet;

use url::Url;

use super::layers::Layers;
use super::{GatewayConfig, OutboundConfig, sections};
use crate::domain::secret::Secret;
use crate::domain::sender::Sender;
use crate::domain::text::one_line;
use crate::gateway::{
    AwsAccount, AwsKey, EmailDriver, Http, Mailgun, Mailpit, Postmark, Resend, SendGrid, Ses, SmsDriver, Sns, Twilio,
    TwilioSender, Vonage, Webhook,
};
use crate::outbound::role::RoleKeys;

/// What makes a driver of a section; `None` when something is missing or wrong, which is noted.
type Make<D> = fn(&mut Section<'_>) -> Option<D>;

const EMAIL: [(&str, Make<EmailDriver>); 8] = [
    ("webhook", |section| section.webhook().map(EmailDriver::Webhook)),
    ("sendgrid", sendgrid),
    ("ses", ses),
    ("resend", resend),
    ("postmark", postmark),
    ("mailgun", mailgun),
    ("mailpit", mailpit),
    ("http", |section| section.http(Http::check_email).map(EmailDriver::Http)),
];

const SMS: [(&str, Make<SmsDriver>); 5] = [
    ("webhook", |section| section.webhook().map(SmsDriver::Webhook)),
    ("twilio", twilio),
    ("vonage", vonage),
    ("sns", sns),
    ("http", |section| section.http(Http::check_sms).map(SmsDriver::Http)),
];

pub(super) fn email(layers: &mut Layers, outbound: &OutboundConfig) -> Option<GatewayConfig<EmailDriver>> {
    gateway(layers, "email", outbound, &EMAIL)
}

pub(super) fn sms(layers: &mut Layers, outbound: &OutboundConfig) -> Option<GatewayConfig<SmsDriver>> {
    gateway(layers, "sms", outbound, &SMS)
}

fn gateway<D>(
    layers: &mut Layers,
    name: &'static str,
    outbound: &OutboundConfig,
    drivers: &[(&str, Make<D>)],
) -> Option<GatewayConfig<D>> {
    let mut section = Section { layers, name, outbound, read: BTreeSet::from(["driver"]) };
    let chosen = section.optional("driver");
    let Some(chosen) = chosen else {
        if !section.unread().is_empty() {
            section.fail("driver", "is required when the section has other keys");
        }
        return None;
    };
    let Some((_, make)) = drivers.iter().find(|(driver, _)| *driver == chosen) else {
        let known: Vec<_> = drivers.iter().map(|(driver, _)| format!("\"{driver}\"")).collect();
        section.fail("driver", &format!("must be {}, or \"\" for none", known.join(", ")));
        return None;
    };
    section.read.insert("timeout_ms");
    let timeout = sections::timeout(section.layers, &section.key("timeout_ms"));
    let driver = make(&mut section);
    for stray in section.unread() {
        section.fail(&stray, &format!("does not go with the driver {chosen}, or not with the other keys"));
    }
    Some(GatewayConfig { driver: driver?, timeout })
}

fn sendgrid(section: &mut Section<'_>) -> Option<EmailDriver> {
    let (token, from, url) = (section.secret("token"), section.sender(), section.url_or("https://api.sendgrid.com"));
    Some(EmailDriver::SendGrid(SendGrid { url: url?, token, from: from? }))
}

fn ses(section: &mut Section<'_>) -> Option<EmailDriver> {
    let (from, account) = (section.sender(), section.aws());
    let configuration_set = section.optional("configuration_set");
    Some(EmailDriver::Ses(Ses { account: account?, from: from?, configuration_set }))
}

fn resend(section: &mut Section<'_>) -> Option<EmailDriver> {
    let (token, from, url) = (section.secret("token"), section.sender(), section.url_or("https://api.resend.com"));
    Some(EmailDriver::Resend(Resend { url: url?, token, from: from? }))
}

fn postmark(section: &mut Section<'_>) -> Option<EmailDriver> {
    let (token, from, url) = (section.secret("token"), section.sender(), section.url_or("https://api.postmarkapp.com"));
    let stream = section.optional("message_stream").unwrap_or_else(|| "outbound".to_owned());
    Some(EmailDriver::Postmark(Postmark { url: url?, token, from: from?, stream }))
}

fn mailgun(section: &mut Section<'_>) -> Option<EmailDriver> {
    let (token, from, url) = (section.secret("token"), section.sender(), section.url_or("https://api.mailgun.net"));
    let domain = section.word("domain", ".-");
    Some(EmailDriver::Mailgun(Mailgun { url: url?, token, from: from?, domain }))
}

fn mailpit(section: &mut Section<'_>) -> Option<EmailDriver> {
    let (from, url) = (section.sender(), section.url("url"));
    let credential = section.optional("username").map(|user| (user, section.secret("password")));
    Some(EmailDriver::Mailpit(Mailpit { url: url?, credential, from: from? }))
}

fn twilio(section: &mut Section<'_>) -> Option<SmsDriver> {
    let (account_sid, token) = (section.word("account_sid", ""), section.secret("token"));
    let (api_key, url) = (section.optional("api_key"), section.url_or("https://api.twilio.com"));
    let from = match section.optional("messaging_service_sid") {
        Some(sid) => TwilioSender::Service(sid),
        None => TwilioSender::Own(section.line("from", 64)),
    };
    let status_callback = twilio_callback(section.layers);
    Some(SmsDriver::Twilio(Twilio { url: url?, account_sid, api_key, token, from, status_callback }))
}

/// Where Twilio reports, if `callbacks.twilio` listens. Without it in each message only what a messaging service sends is reported.
fn twilio_callback(layers: &mut Layers) -> Option<Url> {
    layers.optional_text("callbacks.twilio.auth_token")?;
    let public_url = layers.optional_text("server.public_url")?;
    Url::parse(&format!("{}/v1/callbacks/sms/twilio", public_url.trim_end_matches('/'))).ok()
}

fn vonage(section: &mut Section<'_>) -> Option<SmsDriver> {
    let (api_key, api_secret) = (section.required("api_key"), section.secret("api_secret"));
    let (from, url) = (section.line("from", 64), section.url_or("https://rest.nexmo.com/sms"));
    Some(SmsDriver::Vonage(Vonage { url: url?, api_key, api_secret, from }))
}

fn sns(section: &mut Section<'_>) -> Option<SmsDriver> {
    let (account, from) = (section.aws(), section.optional("from"));
    Some(SmsDriver::Sns(Sns { account: account?, from }))
}

/// A section while it is read.
struct Section<'a> {
    layers: &'a mut Layers,
    name: &'static str,
    outbound: &'a OutboundConfig,
    /// Keys that the driver may have.
    read: BTreeSet<&'static str>,
}

impl Section<'_> {
    fn webhook(&mut self) -> Option<Webhook> {
        let token = self.secret("token");
        let from = self.line("from", 320);
        let url = self.url("url")?;
        Some(Webhook { url, token, from })
    }

    fn aws(&mut self) -> Option<AwsAccount> {
        let region = self.word("region", "-");
        let key = self.aws_key(&region);
        let url = match self.optional("url") {
            Some(_) => Some(self.url("url")?),
            None => None,
        };
        Some(AwsAccount { region, key: key?, url })
    }

    fn aws_key(&mut self, region: &str) -> Option<AwsKey> {
        match self.optional("credential").as_deref() {
            None => Some(AwsKey::Fixed {
                access_key_id: self.word("access_key_id", ""),
                secret_access_key: self.secret("secret_access_key"),
                session_token: self.optional("session_token").map(Secret::new),
            }),
            Some("environment") => Some(AwsKey::Environment(Box::new(RoleKeys::new(region.to_owned())))),
            Some(_) => {
                self.fail("credential", "must be \"environment\", or \"\" for the access key of the section");
                None
            }
        }
    }

    fn key(&self, name: &str) -> String {
        format!("{}.{name}", self.name)
    }

    fn fail(&mut self, name: &str, what: &str) {
        let key = self.key(name);
        self.layers.fail(&key, what);
    }

    fn optional(&mut self, name: &'static str) -> Option<String> {
        self.read.insert(name);
        self.layers.optional_text(&self.key(name))
    }

    fn required(&mut self, name: &'static str) -> String {
        self.read.insert(name);
        let key = self.key(name);
        self.layers.required_text(&key)
    }

    fn secret(&mut self, name: &'static str) -> Secret {
        Secret::new(self.required(name))
    }

    /// One line of text, which must be given.
    fn line(&mut self, name: &'static str, max: usize) -> String {
        let text = self.required(name);
        if !text.is_empty()
            && let Err(error) = one_line(&text, max)
        {
            self.fail(name, &error.to_string());
        }
        text
    }

    /// A URL that must be given.
    fn url(&mut self, name: &'static str) -> Option<Url> {
        self.read.insert(name);
        let key = self.key(name);
        sections::required_url(self.layers, &key, self.outbound)
    }

    /// The URL at `url`, else the vendor's own.
    fn url_or(&mut self, own: &str) -> Option<Url> {
        match self.optional("url") {
            Some(_) => self.url("url"),
            None => Url::parse(own).ok(),
        }
    }

    /// The sender of e-mails, which must be given.
    fn sender(&mut self) -> Option<Sender> {
        let text = self.required("from");
        let parsed = Sender::parse(&text);
        if parsed.is_err() && !text.is_empty() {
            self.fail("from", "must be an address such as no-reply@example.com, or Example <no-reply@example.com>");
        }
        parsed.ok()
    }

    /// Letters, digits and what is in `also`: safe in a URL's path. Must be given.
    fn word(&mut self, name: &'static str, also: &str) -> String {
        let text = self.required(name);
        if !text.chars().all(|c| c.is_ascii_alphanumeric() || also.contains(c)) {
            self.fail(name, &format!("can only have letters, digits and {also}"));
        }
        text
    }

    /// Keys that were given and not read; a `…_file` goes with its key.
    fn unread(&self) -> Vec<String> {
        let given = self.layers.given_below(self.name).map(|(name, _)| name);
        let is_read = |name: &str| self.read.contains(name.strip_suffix("_file").unwrap_or(name));
        given.filter(|name| !is_read(name)).map(str::to_owned).collect()
    }
}
