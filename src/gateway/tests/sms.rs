//! The SMS vendors, and Amazon's for both channels.

use super::*;

pub(super) fn twilio(url: Url) -> SmsDriver {
    SmsDriver::Twilio(Twilio {
        url,
        account_sid: "AC1".to_owned(),
        api_key: None,
        token: secret("tw-token"),
        from: TwilioSender::Own("+15005550006".to_owned()),
        status_callback: None,
    })
}

pub(super) fn vonage(url: Url) -> SmsDriver {
    SmsDriver::Vonage(Vonage {
        url,
        api_key: "key".to_owned(),
        api_secret: secret("s3cret"),
        from: "Example".to_owned(),
    })
}

fn account(url: Url, session_token: Option<Secret>) -> AwsAccount {
    let (access_key_id, secret_access_key) = ("AKIA1".to_owned(), secret("aws-secret"));
    let key = AwsKey::Fixed { access_key_id, secret_access_key, session_token };
    AwsAccount { region: "eu-central-1".to_owned(), key, url: Some(url) }
}

pub(super) fn sns(url: Url) -> SmsDriver {
    SmsDriver::Sns(Sns { account: account(url, None), from: Some("+15005550006".to_owned()) })
}

pub(super) fn ses(url: Url) -> EmailDriver {
    EmailDriver::Ses(Ses { account: account(url, None), from: sender(), configuration_set: Some("invites".to_owned()) })
}

async fn send_sms(driver: SmsDriver) -> Outcome {
    let to = Phone::parse("+94771234567").unwrap();
    let message = SmsMessage {
        message_id: "msg_2",
        tenant: "acme.example",
        kind: "invitation_sms_otp",
        to: &to,
        text: "Ihr Code: 1&2 あ",
        from: None,
        is_unicode: true,
    };
    let gateway = SmsGateway::new(&Egress::default(), driver, Duration::from_secs(5), Arc::new(SystemClock)).unwrap();
    gateway.send(&message).await
}

fn owned<const N: usize>(form: [(&str, &str); N]) -> Vec<(String, String)> {
    form.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

#[tokio::test]
async fn twilio_gets_a_form_from_an_account_or_an_api_key() {
    let (server, url) = vendor(answer(201, r#"{"sid": "SM1", "code": null}"#)).await;
    assert_eq!(send_sms(twilio(url)).await, accepted("SM1"));
    let received = request(&server).await;
    assert_eq!(received.url.path(), "/2010-04-01/Accounts/AC1/Messages.json");
    assert_eq!(header(&received, "authorization"), "Basic QUMxOnR3LXRva2Vu");
    let expected = [("To", "+94771234567"), ("From", "+15005550006"), ("Body", "Ihr Code: 1&2 あ")];
    assert_eq!(form_of(&received), owned(expected));

    let (server, url) = vendor(answer(201, r#"{"sid": "SM2"}"#)).await;
    let SmsDriver::Twilio(of_account) = twilio(url) else { panic!() };
    let (api_key, from) = (Some("SK1".to_owned()), TwilioSender::Service("MG1".to_owned()));
    let status_callback = Url::parse("https://invited.example.com/v1/callbacks/sms/twilio").ok();
    assert_eq!(
        send_sms(SmsDriver::Twilio(Twilio { api_key, from, status_callback, ..of_account })).await,
        accepted("SM2")
    );
    let received = request(&server).await;
    assert_eq!(header(&received, "authorization"), "Basic U0sxOnR3LXRva2Vu");
    let reports = ("StatusCallback".to_owned(), "https://invited.example.com/v1/callbacks/sms/twilio".to_owned());
    let form = form_of(&received);
    assert!(form.contains(&("MessagingServiceSid".to_owned(), "MG1".to_owned())) && form.contains(&reports));
}

#[tokio::test]
async fn vonage_gets_a_form_with_its_alphabet_and_our_reference() {
    let (server, url) = vendor(answer(200, r#"{"messages": [{"status": "0", "message-id": "vo-1"}]}"#)).await;
    assert_eq!(send_sms(vonage(url)).await, accepted("vo-1"));
    let received = request(&server).await;
    assert_eq!(received.url.path(), "/json");
    let expected = [
        ("api_key", "key"),
        ("api_secret", "s3cret"),
        ("from", "Example"),
        ("to", "94771234567"),
        ("text", "Ihr Code: 1&2 あ"),
        ("type", "unicode"),
        ("client-ref", "msg_2"),
    ];
    assert_eq!(form_of(&received), owned(expected));
}

#[tokio::test]
async fn a_key_that_was_made_for_a_time_goes_with_its_token() {
    let (server, url) = vendor(answer(200, r#"{"MessageId": "ses-1"}"#)).await;
    let account = account(url, Some(secret("session")));
    let ses = EmailDriver::Ses(Ses { account, from: sender(), configuration_set: None });
    assert_eq!(send_email(ses).await, accepted("ses-1"));
    let received = request(&server).await;
    assert_eq!(header(&received, "x-amz-security-token"), "session");
    assert!(header(&received, "authorization").contains("x-amz-security-token"), "it is signed, too");
}

#[tokio::test]
async fn sns_gets_a_signed_form_of_a_transaction() {
    let (server, url) = vendor(ResponseTemplate::new(200).set_body_string("<MessageId>sns-1</MessageId>")).await;
    assert_eq!(send_sms(sns(url)).await, accepted("sns-1"));
    let received = request(&server).await;
    let signature = header(&received, "authorization");
    assert!(signature.starts_with("AWS4-HMAC-SHA256 Credential=AKIA1/") && signature.contains("/eu-central-1/sns/"));
    let form = form_of(&received);
    for (name, value) in [
        ("PhoneNumber", "+94771234567"),
        ("MessageAttributes.entry.1.Name", "AWS.SNS.SMS.SMSType"),
        ("MessageAttributes.entry.1.Value.StringValue", "Transactional"),
        ("MessageAttributes.entry.2.Name", "AWS.MM.SMS.OriginationNumber"),
        ("MessageAttributes.entry.2.Value.StringValue", "+15005550006"),
    ] {
        assert!(form.contains(&(name.to_owned(), value.to_owned())), "{name}: {form:?}");
    }
}

#[tokio::test]
async fn ses_gets_a_signed_message_with_the_id_as_a_tag() {
    let (server, url) = vendor(answer(200, r#"{"MessageId": "ses-1"}"#)).await;
    assert_eq!(send_email(ses(url)).await, accepted("ses-1"));
    let received = request(&server).await;
    assert!(header(&received, "authorization").contains("/eu-central-1/ses/aws4_request"));
    let body = json_of(&received);
    assert_eq!(body["EmailTags"][0], serde_json::json!({"Name": "message_id", "Value": "msg_1"}));
    assert_eq!(
        (&body["ConfigurationSetName"], &body["Destination"]["ToAddresses"][0]),
        (&"invites".into(), &"alex@example.com".into())
    );
    assert_eq!(body["Content"]["Simple"]["Body"]["Text"]["Data"], "text & more");
}

#[tokio::test]
async fn every_answer_of_an_sms_vendor_has_its_meaning() {
    let cases: [(Driver<SmsDriver>, u16, &str, Outcome); 31] = [
        (twilio, 400, r#"{"code": 21211, "message": "invalid To"}"#, rejected("twilio_21211")),
        (twilio, 400, r#"{"code": 21610}"#, rejected("twilio_21610")),
        (twilio, 400, r#"{"code": 21408}"#, rejected("twilio_21408")),
        (twilio, 400, r#"{"code": 21606}"#, misconfigured("twilio_21606")),
        (twilio, 401, r#"{"code": 20003}"#, misconfigured("twilio_20003")),
        (twilio, 404, r#"{"code": 20404}"#, misconfigured("twilio_20404")),
        (twilio, 429, r#"{"code": 20429}"#, throttled(None)),
        (twilio, 400, r#"{"code": 21611}"#, throttled(None)),
        (twilio, 400, r#"{"code": 63038}"#, throttled(Some(900))),
        (twilio, 500, r#"{"code": 20500}"#, unknown("twilio_20500")),
        (twilio, 503, "upstream", unknown("http_503")),
        (vonage, 200, r#"{"messages": [{"status": "1"}]}"#, throttled(None)),
        (vonage, 200, r#"{"messages": [{"status": "4"}]}"#, misconfigured("vonage_4")),
        (vonage, 200, r#"{"messages": [{"status": "5"}]}"#, unknown("vonage_5")),
        (vonage, 200, r#"{"messages": [{"status": "7"}]}"#, rejected("vonage_7")),
        (vonage, 200, r#"{"messages": [{"status": "9"}]}"#, misconfigured("vonage_9")),
        (vonage, 200, r#"{"messages": [{"status": "29"}]}"#, rejected("vonage_29")),
        (vonage, 200, r#"{"messages": []}"#, unknown("unreadable_answer")),
        (vonage, 200, "<html>", unknown("unreadable_answer")),
        (vonage, 429, "", throttled(None)),
        (sns, 400, "<Error><Code>InvalidParameter</Code></Error>", rejected("sns_InvalidParameter")),
        (sns, 400, "<Error><Code>Throttling</Code></Error>", throttled(None)),
        (sns, 400, "<Error><Code>OptInRequired</Code></Error>", misconfigured("sns_OptInRequired")),
        (sns, 403, "<Error><Code>InvalidClientTokenId</Code></Error>", misconfigured("sns_InvalidClientTokenId")),
        (sns, 500, "<Error><Code>InternalError</Code></Error>", unknown("sns_InternalError")),
        (sns, 503, "", unknown("http_503")),
        (sns, 200, "", unknown("unreadable_answer")),
        (sns, 404, "<html>", misconfigured("http_404")),
        (twilio, 200, "<html>", unknown("unreadable_answer")),
        (vonage, 404, "", misconfigured("http_404")),
        (vonage, 200, r#"{"messages": [{"status": "15"}]}"#, misconfigured("vonage_15")),
    ];
    for (driver, status, body, expected) in cases {
        let (_server, url) = vendor(answer(status, body)).await;
        assert_eq!(send_sms(driver(url)).await, expected, "{status} {body}");
    }
}

#[tokio::test]
async fn every_answer_of_ses_has_its_meaning() {
    let cases = [
        ("MessageRejected", 400, rejected("ses_MessageRejected")),
        ("MessageRejected:http://internal.amazon.com/coral/", 400, rejected("ses_MessageRejected")),
        ("com.amazonaws.ses#BadRequestException", 400, rejected("ses_BadRequestException")),
        ("SendingPausedException", 400, misconfigured("ses_SendingPausedException")),
        ("AccountSuspendedException", 400, misconfigured("ses_AccountSuspendedException")),
        ("UnrecognizedClientException", 403, misconfigured("ses_UnrecognizedClientException")),
        ("TooManyRequestsException", 429, throttled(None)),
        ("LimitExceededException", 400, throttled(Some(900))),
        ("InternalFailure", 500, unknown("ses_InternalFailure")),
    ];
    for (name, status, expected) in cases {
        let (_server, url) = vendor(ResponseTemplate::new(status).insert_header("x-amzn-ErrorType", name)).await;
        assert_eq!(send_email(ses(url)).await, expected, "{name}");
        let body = serde_json::json!({"__type": name}).to_string();
        let (_server, url) = vendor(answer(status, &body)).await;
        assert_eq!(send_email(ses(url)).await, expected, "{name}");
    }
    // The same names for what is not of this message.
    for (name, words, status, expected) in [
        (
            "MessageRejected",
            "Email address is not verified. The following …",
            400,
            misconfigured("ses_MessageRejected"),
        ),
        ("TooManyRequestsException", "Daily message quota exceeded.", 429, throttled(Some(900))),
    ] {
        let body = serde_json::json!({"__type": name, "message": words}).to_string();
        let (_server, url) = vendor(answer(status, &body)).await;
        assert_eq!(send_email(ses(url)).await, expected, "{name}");
    }
}
