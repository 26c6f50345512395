//! The sections of gateways: what each driver needs, and what it must not have.

use super::*;
use crate::gateway::{Authentication, HttpBody, SmsDriver};

/// [`MINIMAL`] with a section.
fn with_section(name: &str, lines: &str) -> Result<Config, ConfigErrors> {
    with_lines(&format!("[{name}]\n{lines}"))
}

#[test]
fn every_driver_starts_with_what_it_needs() {
    let aws = "region = 'eu-central-1'\naccess_key_id = 'AKIA1'\nsecret_access_key = 's'";
    let email = [
        ("webhook", "url = 'https://mail.example.com'\ntoken = 't'".to_owned()),
        ("sendgrid", "token = 't'\nurl = 'https://api.eu.sendgrid.com'".to_owned()),
        ("ses", format!("{aws}\nsession_token = 't'\nconfiguration_set = 'invites'")),
        ("ses", "region = 'eu-central-1'\ncredential = 'environment'".to_owned()),
        ("resend", "token = 't'".to_owned()),
        ("postmark", "token = 't'\nmessage_stream = 'invites'".to_owned()),
        ("mailgun", "token = 't'\ndomain = 'mg.example.com'".to_owned()),
        ("mailpit", "url = 'http://127.0.0.1:8025'\nusername = 'u'\npassword = 'p'".to_owned()),
        ("http", "url = 'https://mail.example.com'\nhttp.form = ['to={{ to }}']".to_owned()),
    ];
    for (driver, keys) in email {
        let lines = format!("driver = '{driver}'\nfrom = 'Example <no-reply@example.com>'\n{keys}");
        assert!(with_section("email", &lines).unwrap().email.is_some(), "{driver}");
    }
    let sms = [
        ("webhook", "url = 'https://sms.example.com'\ntoken = 't'".to_owned()),
        ("twilio", "account_sid = 'AC1'\ntoken = 't'".to_owned()),
        ("twilio", "account_sid = 'AC1'\ntoken = 't'\napi_key = 'SK1'".to_owned()),
        ("vonage", "api_key = 'k'\napi_secret = 's'".to_owned()),
        ("sns", format!("{aws}\nsession_token = 't'")),
        ("http", "url = 'https://sms.example.com'\nhttp.body = '{\"to\": {{ to }}}'".to_owned()),
    ];
    for (driver, keys) in sms {
        let config = with_section("sms", &format!("driver = '{driver}'\nfrom = 'Example'\n{keys}")).unwrap();
        assert!(config.sms.is_some(), "{driver}");
    }
}

#[test]
fn a_driver_is_told_from_what_belongs_to_another() {
    let wrong = problems(with_env(&[
        ("INVITED__EMAIL__DRIVER", "mailgun"),
        ("INVITED__EMAIL__TOKEN", "key-s3cret"),
        ("INVITED__EMAIL__FROM", "Example"),
        ("INVITED__EMAIL__DOMAIN", "../admin"),
        ("INVITED__EMAIL__MESSAGE_STREAM", "outbound"),
        ("INVITED__EMAIL__PASSWORD_FILE", "/dev/null"),
    ]));
    let expected = [
        "INVITED__EMAIL__FROM: must be an address such as no-reply@example.com, or Example <no-reply@example.com>",
        "INVITED__EMAIL__DOMAIN: can only have letters, digits and .-",
        "INVITED__EMAIL__MESSAGE_STREAM: does not go with the driver mailgun, or not with the other keys",
        "INVITED__EMAIL__PASSWORD_FILE: does not go with the driver mailgun, or not with the other keys",
    ];
    assert_eq!(wrong, expected);
    let ses = "driver = 'ses'\nfrom = 'a@example.com'\nregion = 'eu-central-1'\n";
    let of_ses = |keys: &str| problems(with_section("email", &format!("{ses}{keys}")));
    assert_eq!(
        of_ses("credential = 'environment'\naccess_key_id = 'AKIA1'"),
        ["email.access_key_id: does not go with the driver ses, or not with the other keys (in invited.toml)"]
    );
    assert_eq!(
        of_ses("credential = 'role'"),
        ["email.credential: must be \"environment\", or \"\" for the access key of the section (in invited.toml)"]
    );
    let needed = problems(with_env(&[("INVITED__SMS__DRIVER", "twilio")]));
    let keys: Vec<_> = needed.iter().map(|line| line.split(':').next().unwrap()).collect();
    assert_eq!(keys, ["sms.account_sid", "sms.token", "sms.from"]);
    let both = "driver = 'twilio'\naccount_sid = 'AC1'\ntoken = 't'\nfrom = '+1'\nmessaging_service_sid = 'MG1'";
    assert_eq!(
        problems(with_section("sms", both)),
        ["sms.from: does not go with the driver twilio, or not with the other keys (in invited.toml)"]
    );
}

#[test]
fn a_request_of_templates_is_read_whole() {
    let lines = r#"
        driver = "http"
        url = "https://sms.example.com/{{ tenant }}/send"
        from = "Example"
        [sms.http]
        method = "PUT"
        headers = ["X-Kind: {{ kind }}"]
        body = """{"to": {{ to }}, "text": {{ text }}}"""
        authentication = "password_credential"
        username = "user"
        password = "s3cret"
        client_id = "invited"
        client_secret = "s3cret"
        token_url = "https://id.example.com/token"
        idempotency_header = "Idempotency-Key"
        accepted_statuses = [200, 202]
        success_pointer = "/messages/0/status"
        success_value = "0"
        retried_statuses = [409]
        id_pointer = "/messages/0/id"
    "#;
    let SmsDriver::Http(http) = with_section("sms", lines).unwrap().sms.unwrap().driver else { panic!() };
    assert_eq!((http.method.as_str(), http.headers.len(), http.from.as_str()), ("PUT", 1, "Example"));
    assert!(matches!(&http.body, HttpBody::Json(json) if json.starts_with("{\"to\"")));
    assert!(matches!(http.authentication, Authentication::Token(_)));
    assert_eq!((&http.rules.accepted, &http.rules.retried), (&vec![200, 202], &vec![409]));
    assert_eq!(http.rules.says, Some(("/messages/0/status".to_owned(), "0".to_owned())));
}

#[test]
fn what_is_wrong_with_a_request_of_templates_is_named() {
    let cases = [
        ("", "sms.http.body: is required, or http.form"),
        ("body = '{}'\nform = ['a=b']", "sms.http.form: is given beside http.body; only one of them can be"),
        ("form = ['a']", r#"sms.http.form: must be a list such as ["to={{ to }}", "text={{ text }}"]"#),
        ("body = '\"{{ text }}\"'", "sms.http.body: makes no JSON; variables come with their quotes"),
        ("body = '{{ html }}'", "sms.http.body: is not a template of the variables that there are"),
        ("body = '{}'\nheaders = ['a b: c']", r#"sms.http.headers: must be a list such as ["X-Tenant: {{ tenant }}"]"#),
        ("body = '{}'\nmethod = 'GET'", r#"sms.http.method: must be "POST" or "PUT""#),
        ("body = '{}'\nid_pointer = 'id'", "sms.http.id_pointer: must be a JSON pointer such as /messages/0/id"),
        ("body = '{}'\nretried_statuses = [1]", "sms.http.retried_statuses: can only have 200 to 599"),
        (
            "body = '{}'\nusername = 'u'",
            "sms.http.username: does not go with the driver http, or not with the other keys",
        ),
        (
            "body = '{}'\nauthentication = 'BASIC'",
            "sms.http.authentication: must be none, basic, bearer, api_key, client_credential or password_credential",
        ),
    ];
    for (lines, expected) in cases {
        let lines = format!("driver = 'http'\nurl = 'https://sms.example.com/'\n[sms.http]\n{lines}");
        let found = problems(with_section("sms", &lines));
        assert!(found.iter().any(|line| line.starts_with(expected)), "{expected}: {found:?}");
    }
    for (url, expected) in [
        ("http://sms.example.com/", "sms.url: must use https"),
        ("{{ tenant }}", "sms.url: must be an absolute http or https URL"),
        ("https://sms.example{{ tenant }}/", "sms.url: must have its scheme, host and port fixed"),
    ] {
        let found = problems(with_section("sms", &format!("driver = 'http'\nurl = '{url}'\nhttp.body = '{{}}'")));
        assert!(found.iter().any(|line| line.starts_with(expected)), "{expected}: {found:?}");
    }
}
