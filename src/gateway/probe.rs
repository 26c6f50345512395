//! Asks a gateway whether it knows us, without a message to anybody.
//!
//! Where a vendor has a question for that, it is asked; else a message without a recipient is handed in, which the vendor refuses after it has
//! looked at the credential.

use reqwest::{Client, Method, RequestBuilder};
use serde_json::json;
use url::Url;

use super::aws::{Content, NO_CREDENTIALS};
use super::call::{Line, below};
use super::{EmailDriver, EmailGateway, Outcome, SmsDriver, SmsGateway};
use crate::outbound::ProxyFault;

/// What a gateway said, in words; the code is that of the answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProbeError {
    #[error("can't be reached: look at the address, the network, the certificate, and the proxy if there is one ({0})")]
    Unreachable(String),
    #[error(
        "can't be asked: the environment of this process gives it no access key, neither by variables nor for a role ({0})"
    )]
    NoCredentials(String),
    #[error("{0} ({code})", code = .0.code())]
    Proxy(ProxyFault),
    #[error("refuses us: look at the credential, the account and the sender ({0})")]
    Refused(String),
    #[error("gives no usable answer; it may be down, or the address is not that of this driver ({0})")]
    Unclear(String),
}

impl EmailGateway {
    /// Whether it can be reached and knows us. Nothing is sent to a person.
    ///
    /// # Errors
    /// [`ProbeError`]
    pub async fn probe(&self) -> Result<(), ProbeError> {
        let request = self.driver.question(&self.line).await;
        told(self.line.outcome(request, |answer| self.driver.judge(answer)).await)
    }
}

impl SmsGateway {
    /// As [`EmailGateway::probe`].
    ///
    /// # Errors
    /// [`ProbeError`]
    pub async fn probe(&self) -> Result<(), ProbeError> {
        let request = self.driver.question(&self.line).await;
        told(self.line.outcome(request, |answer| self.driver.judge(answer)).await)
    }
}

impl EmailDriver {
    async fn question(&self, line: &Line) -> Result<RequestBuilder, Outcome> {
        let client = line.client();
        Ok(match self {
            Self::Webhook(webhook) => reach(client, &webhook.url).bearer_auth(webhook.token.expose()),
            Self::SendGrid(sendgrid) => {
                client.get(below(&sendgrid.url, "/v3/scopes")).bearer_auth(sendgrid.token.expose())
            }
            Self::Ses(ses) => {
                let route = "/v2/email/outbound-emails";
                ses.account.post(line, ("ses", "email"), route, empty_json()).await?
            }
            Self::Resend(resend) => {
                client.post(below(&resend.url, "/emails")).bearer_auth(resend.token.expose()).json(&json!({}))
            }
            Self::Postmark(postmark) => {
                let request = client.get(below(&postmark.url, "/server")).header("Accept", "application/json");
                request.header("X-Postmark-Server-Token", postmark.token.expose())
            }
            Self::Mailgun(mailgun) => {
                let url = below(&mailgun.url, &format!("/v3/{}/messages", mailgun.domain));
                client.post(url).basic_auth("api", Some(mailgun.token.expose())).form(&[("o:testmode", "yes")])
            }
            Self::Mailpit(mailpit) => mailpit.sign(client.get(below(&mailpit.url, "/api/v1/info"))),
            Self::Http(http) => http.question(line).await?,
        })
    }
}

impl SmsDriver {
    async fn question(&self, line: &Line) -> Result<RequestBuilder, Outcome> {
        let client = line.client();
        Ok(match self {
            Self::Webhook(webhook) => reach(client, &webhook.url).bearer_auth(webhook.token.expose()),
            Self::Twilio(twilio) => {
                let url = below(&twilio.url, &format!("/2010-04-01/Accounts/{}.json", twilio.account_sid));
                twilio.sign(client.get(url))
            }
            Self::Vonage(vonage) => {
                let form = [("api_key", vonage.api_key.as_str()), ("api_secret", vonage.api_secret.expose())];
                client.post(below(&vonage.url, "/json")).form(&form)
            }
            Self::Sns(sns) => {
                let bytes = b"Action=GetSMSAttributes&Version=2010-03-31".to_vec();
                let content = Content { kind: "application/x-www-form-urlencoded", bytes };
                sns.account.post(line, ("sns", "sns"), "/", content).await?
            }
            Self::Http(http) => http.question(line).await?,
        })
    }
}

/// A call that does nothing, for gateways of whom no question is known.
pub(super) fn reach(client: &Client, url: &Url) -> RequestBuilder {
    client.request(Method::OPTIONS, url.clone())
}

fn empty_json() -> Content {
    Content { kind: "application/json", bytes: b"{}".to_vec() }
}

fn told(outcome: Outcome) -> Result<(), ProbeError> {
    let of = |code: &str, else_: fn(String) -> ProbeError| {
        ProxyFault::of_code(code).map_or_else(|| else_(code.to_owned()), ProbeError::Proxy)
    };
    match outcome {
        Outcome::NotSent { code } => Err(of(code, ProbeError::Unreachable)),
        Outcome::Misconfigured { code } if code == NO_CREDENTIALS => Err(ProbeError::NoCredentials(code)),
        Outcome::Misconfigured { code } => Err(of(&code, ProbeError::Refused)),
        // The answer to a question need not look as that to a message does.
        Outcome::Unknown { code, .. } if code != "unreadable_answer" => Err(ProbeError::Unclear(code)),
        // Who looks at an empty message has let us in.
        _ => Ok(()),
    }
}
