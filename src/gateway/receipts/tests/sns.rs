//! Messages of Amazon SNS, signed by OpenSSL with the key in `tests/fixtures`.

use serde_json::json;
use wiremock::matchers::{method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;

const CERTIFICATE: &str = include_str!("../../../../tests/fixtures/sns_certificate.pem");
const ARN: &str = "arn:aws:sns:eu-west-1:123456789012:ses-events";
const FILE: &str = "/SimpleNotificationService-0a1b2c.pem";
const EVENT: &str = r#"{"notificationType":"Bounce","bounce":{"bounceType":"Permanent","bounceSubType":"General","bouncedRecipients":[{"emailAddress":"alex@example.com","status":"5.1.1"}]},"mail":{"messageId":"ses-1"}}"#;
const WITH_SHA1: &str = "dVztYkVPOq7u8Z7paMfq6QeG7niHjwun2cR9NjtROczfORiEuIL58zdw5Sc4sWJ4poNyDS+DsEcxZvZ7WpS33BnEMgElGYoCHHBxRDj2OwR+F7vBjTGO7EKm56o2qQmMiodgU/vKbo4ABe0qI6VVS7YMF/SzmzDxCO+bHEbALyzQe2miIMb6wmqeGodOfaWphTd/xeEPncnpEZ5sYMx+kQWSSdc3V4+DM2q1Blq+wx+fr2mh8zbsQuyRrN/wt/eZUKsLZnAgbustU061eoDx2Tu4hUhbQj0Myo69zX2dVRcFuc3TVy30lW/6NbJ492ahhCVi6lehzKVLSgDwPstn5g==";
const WITH_SHA256: &str = "gZ3oRku7UCr8+VCrkqrJSJsOXsbBkqKBAl8bHQxFAVn0z7/SDtRXZBvgzm1e2VZja01efFJgqMjg0fVUsShvRGHPp/xKrLskpgPjQsyLITVRPskvYLPm5tAcD5S58FHwV28EZU6kswhtDnnSOcLShSAhNLbd0IQ+4Kawm2TZrmKZKTsi4JXj1TkZ3lxSd+JCpta+hSttSEb3DQhzakPjEpPjLAhtffdUCVwkSayC0oaTSseUogRX2Ztb0DNe7dWstqC8vzcDF4tCraKZ4pmq7Ynv3FxR2gJBBM/Y/VdsH/ulbBCs4w8A3XvexN8m7a+v5leZQlo098LSlTGpd4BqJg==";
const OF_SUBSCRIPTION: &str = "WWDwt/wJwP9i0cUpfWUgQLshl/aIhssIogcqDDrpqX3be6/QJoAYc6tkyWx5a948zMLvV3rRg7Q65mtekha0QmBrS4IUtBukQMzs0Gv+t570YWhdpg25bR7IMLtSaKvFmvNjcSHJ5xpzDyUF9XGcwM/KmYsxADSP8ezxVIS3TFThwOhedUc65sO1FYeHxvYSwG7aJ4x/OM64fTKozOeXqH/rclhfdHvP1wt/Fvn54kOVThgB4bDQorllDrGe3h/l+Sb/BFteQeXtmnsd+Ddq7/NqzjUX6lc1DOZWcCAvruLPNQcievSmLp9f9QaAS4tcLgprg81a9rWiYqVv3y1vBg==";

/// A region that has the certificate.
async fn region() -> MockServer {
    let server = MockServer::start().await;
    let certificate = ResponseTemplate::new(200).set_body_string(CERTIFICATE);
    Mock::given(method("GET")).and(path(FILE)).respond_with(certificate).mount(&server).await;
    server
}

fn topic(server: &MockServer) -> Ses {
    Ses::new(&crate::outbound::Egress::default(), Topic::parse(ARN, Some(server.uri().parse().unwrap())).unwrap())
        .unwrap()
}

fn notification(server: &MockServer, version: &str, signature: &str) -> Value {
    json!({
        "Type": "Notification", "MessageId": "m-1", "TopicArn": ARN, "Subject": "Amazon SES Email Event Notification",
        "Message": EVENT, "Timestamp": "2026-11-24T10:00:00.000Z", "SignatureVersion": version, "Signature": signature,
        "SigningCertURL": format!("{}{FILE}", server.uri()), "UnsubscribeURL": "https://example.com/"
    })
}

async fn read(ses: &Ses, message: &Value) -> Result<Reported, Refused> {
    ses.read(&posted("/", &[], &message.to_string()), NOW).await
}

#[tokio::test]
async fn both_versions_of_the_signature_are_known_and_the_certificate_is_fetched_once() {
    let server = region().await;
    let ses = topic(&server);
    for (version, signature) in [("1", WITH_SHA1), ("2", WITH_SHA256), ("2", WITH_SHA256)] {
        let reported = read(&ses, &notification(&server, version, signature)).await.unwrap();
        assert_eq!(reported.receipts, [Receipt::new("ses-1", ReceiptKind::HardBounce, Some("5.1.1")).unwrap()]);
        assert_eq!(reported.receipts[0].error().as_deref(), Some("hard_bounce:5.1.1"));
    }
    assert_eq!(server.received_requests().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_message_that_was_changed_or_is_not_signed_is_refused() {
    let server = region().await;
    let ses = topic(&server);
    for (version, signature) in [("1", WITH_SHA256), ("2", WITH_SHA1), ("3", WITH_SHA1), ("2", "!"), ("2", "")] {
        let refused = read(&ses, &notification(&server, version, signature)).await;
        assert_eq!(refused, Err(Refused::Signature), "{version} {signature}");
    }
    for field in ["Message", "MessageId", "Subject", "Timestamp"] {
        let mut message = notification(&server, "2", WITH_SHA256);
        let changed = message[field].as_str().unwrap().replace('0', "1").replace('m', "n").replace('E', "F");
        message[field] = json!(changed);
        assert_eq!(read(&ses, &message).await, Err(Refused::Signature), "{field}");
        message.as_object_mut().unwrap().remove(field);
        assert_eq!(read(&ses, &message).await, Err(Refused::Signature), "without {field}");
    }
    let genuine = posted("/", &[], &notification(&server, "2", WITH_SHA256).to_string());
    assert!(ses.read(&genuine, NOW).await.is_ok());
    assert_eq!(ses.read(&genuine, NOW.after(WINDOW * 2)).await, Err(Refused::Signature));
}

#[tokio::test]
async fn nothing_is_fetched_for_another_topic_or_from_another_place() {
    let (server, other) = (region().await, region().await);
    let ses = topic(&server);
    let mut message = notification(&server, "2", WITH_SHA256);
    message["TopicArn"] = json!("arn:aws:sns:eu-west-1:999999999999:ses-events");
    assert_eq!(read(&ses, &message).await, Err(Refused::Signature));
    for place in
        [format!("{}{FILE}", other.uri()), format!("{}{FILE}?x=1", server.uri()), format!("{}/x.pem", server.uri())]
    {
        let mut message = notification(&server, "2", WITH_SHA256);
        message["SigningCertURL"] = json!(place);
        assert_eq!(read(&ses, &message).await, Err(Refused::Signature), "{place}");
    }
    assert!(server.received_requests().await.unwrap().is_empty());
    assert!(other.received_requests().await.unwrap().is_empty());
}

#[test]
fn a_certificate_comes_from_the_region_of_the_topic() {
    let has = |arn, url: &str| sns_topic(arn).has_certificate(&url.parse().unwrap());
    assert!(has(ARN, "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0a1b2c.pem"));
    assert!(has(
        "arn:aws-cn:sns:cn-north-1:123456789012:a",
        "https://sns.cn-north-1.amazonaws.com.cn/SimpleNotificationService-1.pem"
    ));
    for url in [
        "http://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0a1b2c.pem",
        "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-0a1b2c.pem",
        "https://sns.eu-west-1.amazonaws.com.example.com/SimpleNotificationService-0a1b2c.pem",
        "https://sns.eu-west-1.amazonaws.com@example.com/SimpleNotificationService-0a1b2c.pem",
        "https://user@sns.eu-west-1.amazonaws.com/SimpleNotificationService-0a1b2c.pem",
        "https://sns.eu-west-1.amazonaws.com:8443/SimpleNotificationService-0a1b2c.pem",
        "https://bucket.s3.amazonaws.com/SimpleNotificationService-0a1b2c.pem",
        "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-../x.pem",
        "https://sns.eu-west-1.amazonaws.com/?Action=Publish",
    ] {
        assert!(!has(ARN, url), "{url}");
    }
}

fn sns_topic(arn: &str) -> Topic {
    Topic::parse(arn, None).unwrap()
}

#[test]
fn a_topic_has_all_the_parts_of_its_name() {
    assert!(Topic::parse("arn:aws:sns:eu-west-1:123456789012:events.fifo", None).is_some());
    for arn in [
        "",
        "ses-events",
        "arn:aws:sqs:eu-west-1:123456789012:a",
        "arn:aws:sns:eu-west-1:12345:a",
        "arn:aws:sns:eu-west-1:123456789012:",
        "arn:aws:sns:evil.com/x:123456789012:a",
        "arn:other:sns:eu-west-1:123456789012:a",
        "arn:aws:sns:eu-west-1:123456789012:a:b",
    ] {
        assert!(Topic::parse(arn, None).is_none(), "{arn}");
    }
}

#[tokio::test]
async fn names_that_are_made_up_are_not_asked_for_without_end() {
    let server = region().await;
    let ses = topic(&server);
    let made_up = |number: usize| {
        let mut message = notification(&server, "2", WITH_SHA256);
        message["SigningCertURL"] = json!(format!("{}/SimpleNotificationService-{number}.pem", server.uri()));
        message
    };
    for number in 0..20 {
        let expected = if number < 5 { Refused::Signature } else { Refused::Unavailable };
        assert_eq!(read(&ses, &made_up(number)).await, Err(expected), "{number}");
    }
    assert_eq!(server.received_requests().await.unwrap().len(), 5);
}

fn subscription(server: &MockServer) -> Value {
    json!({
        "Type": "SubscriptionConfirmation", "MessageId": "m-2", "Token": "t-1", "TopicArn": ARN,
        "Message": "You have chosen to subscribe", "Timestamp": "2026-11-24T10:00:00.000Z", "SignatureVersion": "2",
        "SubscribeURL": format!("https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn={ARN}&Token=t-1"),
        "Signature": OF_SUBSCRIPTION, "SigningCertURL": format!("{}{FILE}", server.uri())
    })
}

#[tokio::test]
async fn a_subscription_is_confirmed_with_its_token_and_only_when_it_is_genuine() {
    let server = region().await;
    let confirm = Mock::given(method("GET"))
        .and(query_param("Action", "ConfirmSubscription"))
        .and(query_param("TopicArn", ARN))
        .and(query_param("Token", "t-1"));
    let ses = topic(&server);
    let mut forged = subscription(&server);
    forged["Token"] = json!("t-2");
    assert_eq!(read(&ses, &forged).await, Err(Refused::Signature));
    assert_eq!(server.received_requests().await.unwrap().len(), 1, "only the certificate");
    assert_eq!(read(&ses, &subscription(&server)).await, Err(Refused::Unavailable), "SNS comes again");
    confirm.respond_with(ResponseTemplate::new(200)).expect(1).mount(&server).await;
    assert_eq!(read(&ses, &subscription(&server)).await, Ok(Reported::default()));
}

#[tokio::test]
async fn a_region_that_does_not_answer_is_asked_again_later() {
    let server = MockServer::start().await;
    Mock::given(method("GET")).respond_with(ResponseTemplate::new(503)).mount(&server).await;
    let refused = read(&topic(&server), &notification(&server, "2", WITH_SHA256)).await;
    assert_eq!(refused, Err(Refused::Unavailable));
}
