//! The examples of what gateways report, executed with each vendor's signature.

use serde_json::Value;

use crate::support::{TestApp, VENDORS, Vendors};

#[tokio::test(flavor = "multi_thread")]
async fn the_examples_of_receipts_work() {
    let vendors = Vendors::start().await;
    let app = TestApp::with(vendors.settings()).await;
    let document: Value = serde_json::from_str(&invited::http::openapi::json()).unwrap();
    let content = &document["paths"]["/v1/callbacks/{channel}/{provider}"]["post"]["requestBody"]["content"];
    for vendor in VENDORS {
        let kind = if vendor == "twilio" { "application/x-www-form-urlencoded" } else { "application/json" };
        let example = &content[kind]["examples"][vendor]["value"];
        let event = match vendor {
            "twilio" => example.as_str().unwrap().split('&').collect::<std::collections::BTreeSet<_>>(),
            _ => std::collections::BTreeSet::new(),
        };
        let event = match vendor {
            "twilio" => event.into_iter().collect::<Vec<_>>().join("&"),
            // The time and the signature are those of now.
            "mailgun" => example["event-data"].to_string(),
            "ses" => example["Message"].as_str().unwrap().to_owned(),
            _ => example.to_string(),
        };
        app.send(vendors.call(&app, "", vendor, &event)).await.ok(200);
    }
    app.finish().await;
}
