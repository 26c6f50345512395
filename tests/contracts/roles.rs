//! Access keys of the role that the process runs in, by the variables that AWS's own tools read: the whole program, and what it then signs with.

use std::path::Path;
use std::process::Command;

use serde_json::json;
use tempfile::TempDir;
use wiremock::matchers::{header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

const KEY: &str = "ASIAROLE";
const SECRET: &str = "secret-of-the-role";
const TOKEN: &str = "token-of-the-role";

/// What `invited check-config --connect` says, with Amazon's SES at `ses` and these variables.
async fn check(ses: &str, variables: &[(&str, &str)], home: &Path) -> String {
    let master_key = "[\"k1:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\"]";
    let configuration = [
        ("INVITED__SECRETS__MASTER_KEYS", master_key),
        ("INVITED__AUTH__ISSUER", "https://id.example.com"),
        ("INVITED__AUTH__AUDIENCE", "invited"),
        ("INVITED__AUTH__JWKS_URL", "https://id.example.com/jwks"),
        ("INVITED__DIRECTORY__BASE_URL", ses),
        ("INVITED__DIRECTORY__TOKEN", "token"),
        ("INVITED__EMAIL__DRIVER", "ses"),
        ("INVITED__EMAIL__FROM", "no-reply@example.com"),
        ("INVITED__EMAIL__REGION", "us-east-1"),
        ("INVITED__EMAIL__URL", ses),
        ("INVITED__EMAIL__CREDENTIAL", "environment"),
    ];
    let mut program = Command::new(env!("CARGO_BIN_EXE_invited"));
    program.args(["check-config", "--connect"]).env_clear().envs(configuration).env("HOME", home);
    program.envs(variables.iter().copied());
    let output = tokio::task::spawn_blocking(move || program.output()).await.unwrap().unwrap();
    let said = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap()).concat();
    for secret in [SECRET, TOKEN] {
        assert!(!said.contains(secret), "{said}");
    }
    said
}

/// One that looks at the credential and wants a recipient.
async fn amazon() -> MockServer {
    let server = MockServer::start().await;
    let refusal = ResponseTemplate::new(400).insert_header("x-amzn-errortype", "BadRequestException");
    Mock::given(path("/v2/email/outbound-emails")).respond_with(refusal).mount(&server).await;
    server
}

async fn was_signed_by_the_role(server: &MockServer) -> bool {
    let requests = server.received_requests().await.unwrap();
    let asked = requests.iter().find(|request| request.url.path() == "/v2/email/outbound-emails").unwrap();
    let header = |name: &str| asked.headers[name].to_str().unwrap();
    header("authorization").contains(&format!("Credential={KEY}/")) && header("x-amz-security-token") == TOKEN
}

fn key() -> ResponseTemplate {
    let (begin, end) = ("2026-01-01T00:00:00Z", "2999-01-01T00:00:00Z");
    let names = json!({"Code": "Success", "Type": "AWS-HMAC", "LastUpdated": begin, "Expiration": end});
    let mut body = names.as_object().unwrap().clone();
    body.extend(
        [("AccessKeyId", KEY), ("SecretAccessKey", SECRET), ("Token", TOKEN)].map(|(k, v)| (k.to_owned(), json!(v))),
    );
    ResponseTemplate::new(200).set_body_json(body)
}

#[tokio::test]
async fn a_container_is_given_the_key_of_its_role() {
    let (server, home) = (amazon().await, TempDir::new().unwrap());
    Mock::given(path("/role")).and(header("authorization", "of-the-agent")).respond_with(key()).mount(&server).await;
    let (uri, url) = (server.uri(), format!("{}/role", server.uri()));
    let token_file = home.path().join("token");
    std::fs::write(&token_file, "of-the-agent").unwrap();
    let variables = [
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", url.as_str()),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", token_file.to_str().unwrap()),
    ];
    let said = check(&uri, &variables, home.path()).await;
    assert!(said.contains("email: good"), "{said}");
    assert!(was_signed_by_the_role(&server).await);
}

#[tokio::test]
async fn an_instance_is_given_the_key_of_its_profile() {
    let (server, home) = (amazon().await, TempDir::new().unwrap());
    let session = ResponseTemplate::new(200)
        .insert_header("x-aws-ec2-metadata-token-ttl-seconds", "21600")
        .set_body_string("session");
    Mock::given(method("PUT")).and(path("/latest/api/token")).respond_with(session).mount(&server).await;
    let profiles = "/latest/meta-data/iam/security-credentials/";
    for (route, answer) in [
        (profiles.to_owned(), ResponseTemplate::new(200).set_body_string("sender")),
        (format!("{profiles}sender"), key()),
    ] {
        let asked = Mock::given(path(route)).and(header("x-aws-ec2-metadata-token", "session"));
        asked.respond_with(answer).mount(&server).await;
    }
    let uri = server.uri();
    let said = check(&uri, &[("AWS_EC2_METADATA_SERVICE_ENDPOINT", uri.as_str())], home.path()).await;
    assert!(said.contains("email: good"), "{said}");
    assert!(was_signed_by_the_role(&server).await);
}

#[tokio::test]
async fn a_web_identity_is_exchanged_for_the_key_of_its_role() {
    let (server, home) = (amazon().await, TempDir::new().unwrap());
    let answer = format!(
        "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>{KEY}</AccessKeyId>\
         <SecretAccessKey>{SECRET}</SecretAccessKey><SessionToken>{TOKEN}</SessionToken>\
         <Expiration>2999-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleWithWebIdentityResult>\
         </AssumeRoleWithWebIdentityResponse>"
    );
    let answer = ResponseTemplate::new(200).set_body_raw(answer, "text/xml");
    Mock::given(method("POST")).and(path("/")).respond_with(answer).mount(&server).await;
    let (uri, token_file) = (server.uri(), home.path().join("token"));
    std::fs::write(&token_file, "identity").unwrap();
    let variables = [
        ("AWS_ENDPOINT_URL_STS", uri.as_str()),
        ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/sender"),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", token_file.to_str().unwrap()),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ];
    let said = check(&uri, &variables, home.path()).await;
    assert!(said.contains("email: good"), "{said}");
    assert!(was_signed_by_the_role(&server).await);
    let requests = server.received_requests().await.unwrap();
    let asked = requests.iter().find(|request| request.url.path() == "/").unwrap();
    let form = std::str::from_utf8(&asked.body).unwrap();
    assert!(form.contains("Action=AssumeRoleWithWebIdentity") && form.contains("WebIdentityToken=identity"), "{form}");
}

#[tokio::test]
async fn where_there_is_none_it_is_said_in_words() {
    let (server, home) = (amazon().await, TempDir::new().unwrap());
    let uri = server.uri();
    let said = check(&uri, &[("AWS_EC2_METADATA_DISABLED", "true")], home.path()).await;
    assert!(said.contains("email: can't be asked: the environment of this process gives it no access key"), "{said}");
    let broken =
        [("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:1/role"), ("AWS_EC2_METADATA_DISABLED", "true")];
    let said = check(&uri, &broken, home.path()).await;
    assert!(said.contains("email: can't be reached") && said.contains("credentials_unreachable"), "{said}");
    let paths = server.received_requests().await.unwrap().into_iter().map(|request| request.url.path().to_owned());
    assert!(!paths.collect::<Vec<_>>().contains(&"/v2/email/outbound-emails".to_owned()), "nothing was sent unsigned");
}
