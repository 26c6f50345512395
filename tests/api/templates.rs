//! In whose words and which language messages are sent.

use serde_json::json;

use crate::support::{Settings, TestApp};

#[tokio::test(flavor = "multi_thread")]
async fn people_are_written_to_in_their_language() {
    let app = TestApp::spawn().await;
    let expected = [
        ("de-CH", "Legen Sie Ihr Passwort fest", "24 Stunden"),
        ("fr", "Définissez votre mot de passe", "24 heures"),
        ("es-MX", "Establezca su contraseña", "24 horas"),
        ("PT-br", "Defina sua senha", "24 horas"),
        ("si", "ඔබගේ මුරපදය සකසන්න", "පැය 24ක්"),
        ("ta-LK", "உங்கள் கடவுச்சொல்லை அமைக்கவும்", "24 மணிநேரம்"),
        ("ja", "パスワードを設定してください", "24時間"),
        ("it", "Set your password", "24 hours"),
    ];
    for (locale, subject, span) in expected {
        let user = app.user().await;
        let mut person = user.known();
        person["locale"] = json!(locale);
        app.post("/v1/invitations", json!({"user": person})).await.ok(201);
        app.work().await;
        let mail = app.gateway.last("email").await;
        assert_eq!(mail["subject"], subject, "{locale}");
        assert!(mail["text"].as_str().unwrap().contains(span), "{locale}: {mail}");
        let html = mail["html"].as_str().unwrap();
        let language = if locale == "it" { "en" } else { &locale[..2].to_lowercase() };
        assert!(html.contains(span) && html.contains(&format!("<html lang=\"{language}\">")), "{locale}: {html}");
        app.redeem_token(&app.gateway.last_token().await).await.ok(200);
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn people_without_a_language_get_the_tenants() {
    let app = TestApp::with(Settings { defaults: "locale = \"de-AT\"", ..Settings::default() }).await;
    let user = app.user().await;
    app.issue(&user, json!({"method": "sms_otp", "expiresInMinutes": 1})).await;
    let text = app.gateway.last("sms").await["text"].as_str().unwrap().to_owned();
    let code = app.gateway.last_code("sms").await;
    let expected = format!(
        "Ihr Code zum Festlegen Ihres Passworts: {code}. Er ist 1 Minute gültig. \
         Eingabe unter https://app.example.com/enter-code - geben Sie ihn niemals weiter."
    );
    assert_eq!(text, expected);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_bound_to_the_page_that_the_settings_name() {
    let defaults = "sms.autofill_origin = \"app.example.com\"";
    let app = TestApp::with(Settings { defaults, ..Settings::default() }).await;
    let user = app.user().await;
    app.issue(&user, json!({"method": "sms_otp"})).await;
    let text = app.gateway.last("sms").await["text"].as_str().unwrap().to_owned();
    let code = app.gateway.last_code("sms").await;
    assert_eq!(text.lines().last(), Some(format!("@app.example.com #{code}").as_str()));
    app.redeem_code(&user, &code).await.ok(200);
    app.finish().await;
}
