//! A tenant's own sender, as each vendor gets it.

use serde_json::json;

use super::email::{mailgun, mailpit, postmark, resend, sendgrid};
use super::http::http;
use super::sms::ses;
use super::*;

const FROM: &str = "\"Acmé\" <hello@acme.example>";

#[tokio::test]
async fn a_tenants_own_sender_takes_the_place_of_the_gateways() {
    let party = json!({"email": "hello@acme.example", "name": "Acmé"});
    let in_words = json!("=?UTF-8?B?QWNtw6k=?= <hello@acme.example>");
    let cases: [(Driver<EmailDriver>, &str, Value, &str, Value); 5] = [
        (sendgrid, "from", party, "reply_to", json!({"email": "help@acme.example"})),
        (ses, "FromEmailAddress", in_words, "ReplyToAddresses", json!(["help@acme.example"])),
        (resend, "from", json!(FROM), "reply_to", json!("help@acme.example")),
        (postmark, "From", json!(FROM), "ReplyTo", json!("help@acme.example")),
        (
            mailpit,
            "From",
            json!({"Email": "hello@acme.example", "Name": "Acmé"}),
            "ReplyTo",
            json!([{"Email": "help@acme.example"}]),
        ),
    ];
    for (driver, from, sender, reply_to, address) in cases {
        // What any of them says when it takes a message.
        let taken = r#"{"ErrorCode": 0, "MessageId": "1", "id": "1", "ID": "1"}"#;
        let (server, url) = vendor(answer(202, taken)).await;
        assert!(matches!(send_as_tenant(driver(url)).await, Outcome::Accepted { .. }));
        let body = json_of(&request(&server).await);
        assert_eq!((&body[from], &body[reply_to]), (&sender, &address), "{body}");
    }
}

#[tokio::test]
async fn a_form_and_a_template_have_the_tenants_own_sender_too() {
    let (server, url) = vendor(answer(200, r#"{"id": "<1>"}"#)).await;
    assert_eq!(send_as_tenant(mailgun(url)).await, accepted("<1>"));
    let form = form_of(&request(&server).await);
    for (name, value) in [("from", FROM), ("h:Reply-To", "help@acme.example")] {
        assert!(form.contains(&(name.to_owned(), value.to_owned())), "{form:?}");
    }

    let (server, url) = vendor(answer(200, "")).await;
    let body = HttpBody::Json(r#"{"from": {{ from }}, "answers": {{ reply_to }}}"#.to_owned());
    let gateway = Http { body, ..http(&url, "") };
    assert_eq!(gateway.check_email(), Ok(()));
    assert_eq!(send_as_tenant(EmailDriver::Http(Box::new(gateway))).await, Outcome::Accepted { provider_id: None });
    assert_eq!(json_of(&request(&server).await), json!({"from": FROM, "answers": "help@acme.example"}));
}

#[tokio::test]
async fn a_sender_that_one_tenant_chose_wrong_does_not_stop_the_others() {
    let (server, url) = vendor(ResponseTemplate::new(403)).await;
    let gateway =
        EmailGateway::new(&Egress::default(), sendgrid(url), Duration::from_secs(5), Arc::new(SystemClock)).unwrap();
    let (to, from) = (Email::parse("alex@example.com").unwrap(), sender());
    let refused = misconfigured("gateway_unauthorized");
    for _ in 0..6 {
        let message = EmailMessage { from: Some(&from), ..message_to(&to) };
        assert_eq!(gateway.send(&message).await, refused);
    }
    for _ in 0..5 {
        assert_eq!(gateway.send(&message_to(&to)).await, refused);
    }
    assert!(matches!(gateway.send(&message_to(&to)).await, Outcome::Held(_)));
    assert_eq!(server.received_requests().await.unwrap().len(), 11);
}

#[tokio::test]
async fn a_key_that_is_not_there_is_nobodys_sender() {
    let gateway = EmailGateway::new(
        &Egress::default(),
        ses("http://127.0.0.1:1".parse().unwrap()),
        Duration::from_secs(5),
        Arc::new(SystemClock),
    )
    .unwrap();
    for _ in 0..5 {
        gateway.note(&misconfigured(crate::gateway::aws::NO_CREDENTIALS), true);
    }
    assert!(gateway.circuit().opened().is_some());
}
