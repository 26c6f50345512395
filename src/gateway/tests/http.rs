//! The gateway that is made of templates.

use serde_json::json;
use wiremock::matchers::{body_string, path};

use super::*;
use crate::outbound::token::{Grant, Tokens};

/// One that posts JSON, to be changed by the test.
pub(super) fn http(url: &Url, template: &str) -> Http {
    Http {
        method: Method::POST,
        url: url.join(template).unwrap().as_str().replace("%7B", "{").replace("%7D", "}").replace("%20", " "),
        origin: url.origin(),
        headers: Vec::new(),
        body: HttpBody::Json(r#"{"to": [{{ to }}], "body": {{ text }}}"#.to_owned()),
        authentication: Authentication::None,
        idempotency_header: None,
        from: "Example".to_owned(),
        rules: HttpRules { accepted: Vec::new(), says: None, id_pointer: None, id_header: None, retried: Vec::new() },
    }
}

async fn send(http: Http) -> Outcome {
    send_email(EmailDriver::Http(Box::new(http))).await
}

fn tokens(url: &Url, owner: Option<(String, Secret)>) -> Authentication {
    Authentication::Token(Box::new(Tokens::new(Grant {
        token_url: url.join("/token").unwrap(),
        client_id: "invited".to_owned(),
        client_secret: secret("s3cret"),
        scope: Some("send".to_owned()),
        owner,
    })))
}

#[tokio::test]
async fn every_part_of_the_request_is_made_of_the_message() {
    let (server, url) = vendor(ResponseTemplate::new(202).insert_header("X-Id", "h-1")).await;
    let name = |name: &'static str| HeaderName::from_static(name);
    let made = Http {
        method: Method::PUT,
        headers: vec![(name("x-kind"), "{{ kind }} of {{ tenant }}".to_owned())],
        idempotency_header: Some(name("idempotency-key")),
        rules: HttpRules { id_header: Some("x-id".to_owned()), ..http(&url, "").rules },
        ..http(&url, "/t/{{ tenant }}?to={{ to }}")
    };
    assert_eq!(made.check_email(), Ok(()));
    assert_eq!(send(made).await, accepted("h-1"));
    let request = request(&server).await;
    assert_eq!((request.method.as_str(), request.url.path()), ("PUT", "/t/acme.example"));
    assert_eq!(request.url.query(), Some("to=alex%40example.com"));
    assert_eq!(header(&request, "x-kind"), "invitation_email_link of acme.example");
    assert_eq!((header(&request, "idempotency-key"), header(&request, "content-type")), ("msg_1", "application/json"));
    assert_eq!(json_of(&request), json!({"to": ["alex@example.com"], "body": "text & more"}));
}

#[tokio::test]
async fn a_form_is_encoded_whatever_is_in_it() {
    let (server, url) = vendor(ResponseTemplate::new(200)).await;
    let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let body = HttpBody::Form(vec![field("to", "{{ to }}"), field("msg", "{{ from }}: {{ text }}"), field("v", "2")]);
    assert_eq!(send(Http { body, ..http(&url, "") }).await, Outcome::Accepted { provider_id: None });
    let expected = [field("to", "alex@example.com"), field("msg", "Example: text & more"), field("v", "2")];
    assert_eq!(form_of(&request(&server).await), expected);
}

#[tokio::test]
async fn a_gateway_is_told_who_we_are_in_each_of_the_usual_ways() {
    let key = HeaderName::from_static("x-api-key");
    let cases = [
        (Authentication::Basic { username: "u".to_owned(), password: secret("p") }, "authorization", "Basic dTpw"),
        (Authentication::Bearer(secret("tok")), "authorization", "Bearer tok"),
        (Authentication::ApiKey { header: key, value: secret("k3y") }, "x-api-key", "k3y"),
    ];
    for (authentication, name, value) in cases {
        let (server, url) = vendor(ResponseTemplate::new(200)).await;
        send(Http { authentication, ..http(&url, "") }).await;
        assert_eq!(header(&request(&server).await, name), value);
    }
}

#[tokio::test]
async fn a_token_is_fetched_once_and_again_when_it_is_refused() {
    for (owner, form) in [
        (None, "grant_type=client_credentials&scope=send"),
        (Some(("u".to_owned(), secret("p"))), "grant_type=password&username=u&password=p&scope=send"),
    ] {
        let (server, url) = vendor(ResponseTemplate::new(200)).await;
        for (token, times) in [("one", 1), ("two", 1)] {
            let given = ResponseTemplate::new(200).set_body_json(json!({"access_token": token, "expires_in": 300}));
            let asked = Mock::given(path("/token")).and(body_string(form)).respond_with(given);
            asked.up_to_n_times(times).with_priority(1).mount(&server).await;
        }
        let refused =
            Mock::given(matchers::header("authorization", "Bearer one")).respond_with(ResponseTemplate::new(401));
        let driver = EmailDriver::Http(Box::new(Http { authentication: tokens(&url, owner), ..http(&url, "") }));
        let gateway =
            EmailGateway::new(&Egress::default(), driver, Duration::from_secs(5), Arc::new(SystemClock)).unwrap();
        let to = Email::parse("alex@example.com").unwrap();
        for _ in 0..2 {
            assert_eq!(gateway.send(&message_to(&to)).await, Outcome::Accepted { provider_id: None });
        }
        refused.with_priority(2).mount(&server).await;
        assert_eq!(gateway.send(&message_to(&to)).await, misconfigured("gateway_unauthorized"));
        assert_eq!(gateway.send(&message_to(&to)).await, Outcome::Accepted { provider_id: None });
        let asked = server.received_requests().await.unwrap();
        assert_eq!(asked.iter().filter(|request| request.url.path() == "/token").count(), 2);
    }
}

#[tokio::test]
async fn without_a_token_nothing_is_sent() {
    for (status, expected) in [
        (401, misconfigured("token_refused")),
        (400, misconfigured("token_refused")),
        (500, Outcome::NotSent { code: "token_unavailable" }),
        (200, Outcome::NotSent { code: "token_unavailable" }),
    ] {
        let (server, url) = vendor(answer(status, "{}")).await;
        assert_eq!(send(Http { authentication: tokens(&url, None), ..http(&url, "") }).await, expected);
        assert_eq!(request(&server).await.url.path(), "/token");
    }
}

#[tokio::test]
async fn the_operators_rules_say_what_an_answer_means() {
    let rules = || HttpRules {
        accepted: vec![200],
        says: Some(("/code".to_owned(), "0".to_owned())),
        id_pointer: Some("/id".to_owned()),
        id_header: None,
        retried: vec![409, 422],
    };
    for (status, body, expected) in [
        (200, r#"{"code": 0, "id": 17}"#, accepted("17")),
        (200, r#"{"code": 7}"#, rejected("refused_in_answer")),
        (200, "{}", unknown("unreadable_answer")),
        (201, r#"{"code": 0}"#, rejected("http_201")),
        (422, "", unknown("http_422")),
        (400, "", rejected("http_400")),
        (403, "", misconfigured("gateway_unauthorized")),
        (429, "", throttled(None)),
    ] {
        let (_server, url) = vendor(answer(status, body)).await;
        assert_eq!(send(Http { rules: rules(), ..http(&url, "") }).await, expected, "{status} {body}");
    }
}

#[tokio::test]
async fn no_value_leads_the_request_elsewhere() {
    let (server, url) = vendor(ResponseTemplate::new(200)).await;
    let elsewhere = Http { origin: Url::parse("https://sms.example.com").unwrap().origin(), ..http(&url, "") };
    assert_eq!(send(elsewhere).await, misconfigured("unusable_url"));
    assert!(server.received_requests().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_header_is_one_line_in_any_language() {
    let (server, url) = vendor(ResponseTemplate::new(200)).await;
    let headers = vec![(HeaderName::from_static("x-name"), "Zo\u{eb}\r\nX-Evil: {{ kind }}\n".to_owned())];
    assert_eq!(send(Http { headers, ..http(&url, "") }).await, Outcome::Accepted { provider_id: None });
    let request = request(&server).await;
    assert_eq!(request.headers["x-name"].as_bytes(), "Zo\u{eb}  X-Evil: invitation_email_link".as_bytes());
    assert!(!request.headers.contains_key("x-evil"));
}

#[tokio::test]
async fn no_value_makes_a_field_of_its_own() {
    let (server, url) = vendor(ResponseTemplate::new(200)).await;
    let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let body = HttpBody::Form(vec![field("msg", "a=b&to=evil;\r\n{{ text }}"), field("v", "2")]);
    assert_eq!(send(Http { body, ..http(&url, "") }).await, Outcome::Accepted { provider_id: None });
    let expected = [field("msg", "a=b&to=evil;\r\ntext & more"), field("v", "2")];
    assert_eq!(form_of(&request(&server).await), expected);
}
