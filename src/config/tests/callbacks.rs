//! The sections of gateways that report, and where the service is found.

use super::*;
use crate::gateway::SmsDriver;

const KEYS: &str = r#"
[server]
public_url = "https://invited.example.com/api/"
[callbacks.twilio]
auth_token = "12345"
[callbacks.sendgrid]
public_key = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEEDr2LjtURuePQzplybdC+u4CwrqDqBaWjcMMsTbhdbcwHBcepxo7yAQGhHPTnlvFYPAZFceEu/1FwCM/QmGUhA=="
[callbacks.resend]
secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
[callbacks.mailgun]
signing_key = "signing-key"
[callbacks.ses]
topic_arn = "arn:aws:sns:eu-west-1:123456789012:ses-events"
[callbacks.postmark]
username = "postmark"
password = "secret"
"#;

#[test]
fn a_vendor_is_listened_to_once_its_key_is_there() {
    let none = with_lines("").unwrap().vendors;
    assert!(none.twilio.is_none() && none.sendgrid.is_none() && none.resend.is_none());
    assert!(none.mailgun.is_none() && none.ses.is_none() && none.postmark.is_none());
    let config = with_lines(KEYS).unwrap();
    let all = config.vendors;
    assert!(all.twilio.is_some() && all.sendgrid.is_some() && all.resend.is_some());
    assert!(all.mailgun.is_some() && all.ses.is_some() && all.postmark.is_some());
    assert_eq!(config.server.public_url.unwrap().as_str(), "https://invited.example.com/api/");
}

#[test]
fn a_key_that_cannot_be_one_is_named_and_not_repeated() {
    let found = problems(with_lines(
        "[callbacks]\ntwilio.auth_token = \"hunter2\"\nsendgrid.public_key = \"hunter2\"\nresend.secret = \"hunter2\"\n\
         ses.topic_arn = \"hunter2\"\npostmark.username = \"postmark\"\n",
    ));
    let expected = [
        "callbacks.sendgrid.public_key: must be the verification key as SendGrid shows it: base64 of a P-256 key, without lines around it \
         (in invited.toml)",
        "callbacks.resend.secret: must be the signing secret as Resend shows it: whsec_ and base64 (in invited.toml)",
        "callbacks.twilio.auth_token: needs server.public_url: Twilio signs the URL that it calls (in invited.toml)",
        "callbacks.ses.topic_arn: must be a topic such as arn:aws:sns:eu-west-1:123456789012:ses-events (in invited.toml)",
        "callbacks.postmark.password: is required; it can also be given as INVITED__CALLBACKS__POSTMARK__PASSWORD",
    ];
    assert_eq!(found, expected);
    for (lines, key) in [
        ("callbacks.postmark.password = \"a\"", "callbacks.postmark.username: is required"),
        (
            "callbacks.postmark = { username = \"a:b\", password = \"c\" }",
            "callbacks.postmark.username: must not contain",
        ),
        ("callbacks.ses.endpoint = \"https://sns.example.com\"", "callbacks.ses.endpoint: goes with"),
        ("server.public_url = \"invited.example.com\"", "server.public_url: must be a URL"),
        ("server.public_url = \"ftp://invited.example.com\"", "server.public_url: must be a URL"),
        ("server.public_url = \"https://invited.example.com/?x=1\"", "server.public_url: must be a URL"),
    ] {
        let found = problems(with_lines(lines));
        assert!(found.len() == 1 && found[0].starts_with(key), "{found:?}");
    }
}

#[test]
fn keys_can_be_read_from_files() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    writeln!(file, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
    let lines = format!(
        "callbacks.resend.secret_file = {:?}\ncallbacks.mailgun.signing_key_file = {:?}",
        file.path(),
        file.path()
    );
    let vendors = with_lines(&lines).unwrap().vendors;
    assert!(vendors.resend.is_some() && vendors.mailgun.is_some());
}

#[test]
fn twilio_is_told_where_to_report_once_it_is_listened_to() {
    let sms = "[sms]\ndriver = \"twilio\"\naccount_sid = \"AC1\"\ntoken = \"t\"\nfrom = \"+15005550006\"\n";
    let callback = |more: &str| {
        let Some(SmsDriver::Twilio(twilio)) = with_lines(&format!("{more}{sms}")).unwrap().sms.map(|sms| sms.driver)
        else {
            panic!("it is Twilio")
        };
        twilio.status_callback.map(String::from)
    };
    assert_eq!(callback(""), None);
    assert_eq!(callback(KEYS).as_deref(), Some("https://invited.example.com/api/v1/callbacks/sms/twilio"));
}
