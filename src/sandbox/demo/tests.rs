use reqwest::StatusCode;
use wiremock::matchers::{body_json, header_regex, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::super::{Outside, Ports, start as start_outside, test_client};
use super::*;

/// The outside world around a service that is played by a mock.
async fn world() -> (MockServer, Outside, Arc<OffsetClock>) {
    let (api, clock) = (MockServer::start().await, Arc::new(OffsetClock::default()));
    let outside = start_outside(&clock, Ports::default(), &api.uri()).unwrap();
    (api, outside, clock)
}

async fn send(outside: &Outside, path: &str, body: &Value) -> (StatusCode, Value) {
    let reply = test_client().post(format!("{}{path}", outside.demo_url)).json(body).send().await.unwrap();
    (reply.status(), reply.json().await.unwrap_or_default())
}

async fn sign_in(outside: &Outside, password: &str) -> Value {
    send(outside, "/demo/sign-in", &json!({"realm": "PRIMARY", "username": "alex", "password": password})).await.1
}

#[actix_web::test]
async fn faults_and_time_are_switched_by_control() {
    let (_api, outside, clock) = world().await;
    let (status, switches) =
        send(&outside, "/control/faults", &json!({"email": "throttle", "directory": "down"})).await;
    let expected = json!({"email": "throttle", "sms": "ok", "directory": "down"});
    assert_eq!((status, &switches["faults"]), (StatusCode::OK, &expected));
    assert_eq!(send(&outside, "/control/faults", &json!({"directory": "reject"})).await.0, StatusCode::BAD_REQUEST);

    let before = clock.now();
    let (_, switches) = send(&outside, "/control/clock", &json!({"advanceMinutes": 90})).await;
    assert_eq!(switches["clock"]["minutesAhead"], 90);
    assert!(clock.now() >= before.after(Duration::from_mins(90)));
    assert_eq!(send(&outside, "/control/clock", &json!({"advanceMinutes": 525_601})).await.0, StatusCode::BAD_REQUEST);
    let shown: Value =
        test_client().get(format!("{}/control", outside.demo_url)).send().await.unwrap().json().await.unwrap();
    assert_eq!(shown["faults"], expected);
}

#[actix_web::test]
async fn issuing_passes_the_answer_of_the_service_on() {
    let (api, outside, _) = world().await;
    let expected =
        json!({"user": {"username": "alex", "realm": "PRIMARY"}, "ifExists": "replace", "method": "sms_otp"});
    Mock::given(method("POST"))
        .and(path("/v1/invitations"))
        .and(header_regex("authorization", "^Bearer ey"))
        .and(body_json(expected))
        .respond_with(ResponseTemplate::new(422).set_body_json(json!({"code": "recipient_missing"})))
        .mount(&api)
        .await;
    let form = json!({"realm": "PRIMARY", "username": "alex", "method": "sms_otp"});
    let (status, body) = send(&outside, "/demo/invitations", &form).await;
    assert_eq!((status, &body["code"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("recipient_missing")));
}

#[actix_web::test]
async fn what_is_not_the_password_may_be_a_code() {
    let (api, outside, _) = world().await;
    for (otp, reply) in [
        ("Ab3Cd4", json!({"outcome": "password_setup_required", "setupUrl": "http://demo/#token=g"})),
        ("wrong1", json!({"outcome": "rejected"})),
        ("none", json!({"outcome": "not_applicable"})),
    ] {
        Mock::given(path("/v1/otp-logins"))
            .and(body_json(json!({"username": "alex", "realm": "PRIMARY", "otp": otp})))
            .respond_with(ResponseTemplate::new(200).set_body_json(reply))
            .mount(&api)
            .await;
    }
    let setup = json!({"outcome": "password_setup_required", "setupUrl": "http://demo/#token=g"});
    assert_eq!(sign_in(&outside, "Ab3Cd4").await, setup);
    assert_eq!(sign_in(&outside, "wrong1").await, json!({"outcome": "rejected"}));
    assert_eq!(sign_in(&outside, "none").await, json!({"outcome": "rejected"}));
    send(&outside, "/control/faults", &json!({"directory": "down"})).await;
    assert_eq!(sign_in(&outside, "Ab3Cd4").await, json!({"outcome": "unavailable"}));
}

#[actix_web::test]
async fn pages_carry_a_strict_policy_that_names_only_the_service() {
    let (api, outside, _) = world().await;
    for path in ["/", "/set-password", "/enter-code", "/sign-in"] {
        let reply = test_client().get(format!("{}{path}", outside.demo_url)).send().await.unwrap();
        let policy = reply.headers()["content-security-policy"].to_str().unwrap().to_owned();
        assert!(policy.contains(&format!("connect-src 'self' {};", api.uri())) && !policy.contains("unsafe"), "{path}");
        assert_eq!(reply.headers()["referrer-policy"], "no-referrer");
        assert!(reply.text().await.unwrap().contains(&format!("data-api=\"{}\"", api.uri())), "{path}");
    }
}

#[actix_web::test]
async fn people_are_shown_with_their_realm() {
    let (_api, outside, _) = world().await;
    let url = format!("{}/demo/people", outside.demo_url);
    let people: Vec<Value> = test_client().get(url).send().await.unwrap().json().await.unwrap();
    let names: Vec<_> = people.iter().map(|person| (&person["realm"], &person["username"])).collect();
    let (primary, secondary) = (json!("PRIMARY"), json!("SECONDARY"));
    assert_eq!(
        names,
        [
            (&primary, &json!("alex")),
            (&primary, &json!("sam")),
            (&primary, &json!("kim")),
            (&secondary, &json!("robin"))
        ]
    );
}
