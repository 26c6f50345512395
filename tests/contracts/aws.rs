//! SES and SNS as `moto` plays them: it checks the signatures, and shows what it took.

use invited::gateway::{AwsAccount, AwsKey, EmailDriver, Outcome, Ses, SmsDriver, Sns};
use reqwest::Client;
use serde_json::{Value, json};
use url::Url;

use crate::messages::{secret, send_email, send_sms, sender};

const POLICY: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ses:*","sns:*"],"Resource":"*"}]}"#;

const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRoleWithWebIdentity"}]}"#;

/// A running `moto` with one user, and one role, who may send.
struct Moto {
    url: Url,
    client: Client,
    key: (String, String),
    /// Key, secret and token of somebody who is in the role for a time.
    session: [String; 3],
}

impl Moto {
    /// Sets the user up, then turns the checks of signatures and policies on.
    async fn start(url: &str) -> Self {
        let client = invited::outbound::Egress::default().client(std::time::Duration::from_secs(10)).unwrap();
        let mut moto =
            Self { url: Url::parse(url).unwrap(), client, key: Default::default(), session: Default::default() };
        moto.iam(&[("Action", "CreateUser"), ("UserName", "invited")]).await;
        let key = moto.iam(&[("Action", "CreateAccessKey"), ("UserName", "invited")]).await;
        let policy = [("UserName", "invited"), ("PolicyName", "send"), ("PolicyDocument", POLICY)];
        moto.iam(&[&[("Action", "PutUserPolicy")], &policy[..]].concat()).await;
        moto.key = (element(&key, "AccessKeyId"), element(&key, "SecretAccessKey"));
        moto.session = moto.assume_role().await;
        let identity = moto.client.post(moto.below("/v2/email/identities")).header("authorization", unchecked("ses"));
        identity.json(&json!({"EmailIdentity": "no-reply@example.com"})).send().await.unwrap();
        let on = moto.client.post(moto.below("/moto-api/reset-auth")).body("0").send().await.unwrap();
        assert_eq!(on.status(), 200);
        moto
    }

    fn below(&self, route: &str) -> Url {
        self.url.join(route).unwrap()
    }

    /// Makes a role that may send, and goes into it.
    async fn assume_role(&self) -> [String; 3] {
        self.iam(&[("Action", "CreateRole"), ("RoleName", "sender"), ("AssumeRolePolicyDocument", TRUST)]).await;
        let policy = [("RoleName", "sender"), ("PolicyName", "send"), ("PolicyDocument", POLICY)];
        self.iam(&[&[("Action", "PutRolePolicy")], &policy[..]].concat()).await;
        let form = [
            ("Action", "AssumeRoleWithWebIdentity"),
            ("Version", "2011-06-15"),
            ("RoleArn", "arn:aws:iam::123456789012:role/sender"),
            ("RoleSessionName", "invited"),
            ("WebIdentityToken", "token"),
        ];
        let request = self.client.post(self.url.clone()).header("authorization", unchecked("sts")).form(&form);
        let answer = request.send().await.unwrap().text().await.unwrap();
        ["AccessKeyId", "SecretAccessKey", "SessionToken"].map(|name| element(&answer, name))
    }

    async fn iam(&self, form: &[(&str, &str)]) -> String {
        let request = self.client.post(self.url.clone()).header("authorization", unchecked("iam"));
        request.form(&[form, &[("Version", "2010-05-08")]].concat()).send().await.unwrap().text().await.unwrap()
    }

    fn account(&self, secret_access_key: &str) -> AwsAccount {
        self.account_of(&self.key.0, secret_access_key, None)
    }

    fn account_of(&self, access_key_id: &str, secret_access_key: &str, session_token: Option<&str>) -> AwsAccount {
        let key = AwsKey::Fixed {
            access_key_id: access_key_id.to_owned(),
            secret_access_key: secret(secret_access_key),
            session_token: session_token.map(secret),
        };
        AwsAccount { region: "us-east-1".to_owned(), key, url: Some(self.url.clone()) }
    }

    /// As somebody who is in the role, with this token.
    fn in_role(&self, token: Option<&str>) -> AwsAccount {
        let [access_key_id, key, _] = &self.session;
        self.account_of(access_key_id, key, token)
    }

    fn ses(&self, secret: &str) -> EmailDriver {
        EmailDriver::Ses(Ses { account: self.account(secret), from: sender(), configuration_set: None })
    }

    fn sns(&self, secret: &str) -> SmsDriver {
        SmsDriver::Sns(Sns { account: self.account(secret), from: Some("Example".to_owned()) })
    }

    /// All that it took so far.
    async fn data(&self) -> Value {
        let text = self.client.get(self.below("/moto-api/data.json")).send().await.unwrap().text().await.unwrap();
        serde_json::from_str(&text).unwrap()
    }
}

/// A credential that is not looked at yet; it says which service is meant.
fn unchecked(service: &str) -> String {
    format!("AWS4-HMAC-SHA256 Credential=X/20261125/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=x")
}

fn element(xml: &str, name: &str) -> String {
    let (_, rest) = xml.split_once(&format!("<{name}>")).expect("the answer has the element");
    rest.split_once("</").unwrap().0.to_owned()
}

#[tokio::test]
async fn what_is_sent_by_ses_and_sns_is_signed_and_arrives() {
    let Some(url) = std::env::var_os("TEST_MOTO_URL") else {
        crate::skipped::say("TEST_MOTO_URL is missing");
        return;
    };
    let moto = Moto::start(url.to_str().unwrap()).await;
    let key = moto.key.1.clone();

    let Outcome::Accepted { provider_id: Some(mail) } = send_email(moto.ses(&key)).await else { unreachable!() };
    let Outcome::Accepted { provider_id: Some(text) } = send_sms(moto.sns(&key), "+94771234567").await else {
        unreachable!()
    };
    let data = moto.data().await;
    let taken = &data["ses"]["Message"][0];
    assert_eq!((&taken["id"], &taken["body"]), (&json!(mail), &json!("<p>Grüße & mehr</p>")));
    assert_eq!(taken["source"], "\"Example\" <no-reply@example.com>");
    assert_eq!(
        (&taken["subject"], &taken["destinations"]["ToAddresses"]),
        (&json!("Zugang für Alex"), &json!(["alex@example.com"]))
    );
    assert!(data["sns"].to_string().contains(&text), "{}", data["sns"]);
    assert!(data["sns"].to_string().contains("Your code: 123456 & more"));

    let refused = |vendor: &str| Outcome::Misconfigured { code: format!("{vendor}_SignatureDoesNotMatch") };
    assert_eq!(send_email(moto.ses("wrong")).await, refused("ses"));
    assert_eq!(send_sms(moto.sns("wrong"), "+94771234567").await, refused("sns"));
    assert_eq!(moto.data().await["ses"]["Message"].as_array().unwrap().len(), 1);

    let by_email = |account| EmailDriver::Ses(Ses { account, from: sender(), configuration_set: None });
    let by_sms = |account| SmsDriver::Sns(Sns { account, from: None });
    let session = Some(moto.session[2].as_str());
    assert!(matches!(send_email(by_email(moto.in_role(session))).await, Outcome::Accepted { .. }));
    assert!(matches!(send_sms(by_sms(moto.in_role(session)), "+94771234567").await, Outcome::Accepted { .. }));
    for other in [None, Some("wrong")] {
        assert!(matches!(send_email(by_email(moto.in_role(other))).await, Outcome::Misconfigured { .. }), "{other:?}");
    }
}
