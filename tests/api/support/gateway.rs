use serde_json::Value;
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

/// An e-mail and SMS gateway that takes everything, unless told otherwise.
pub(crate) struct Gateway {
    server: MockServer,
}

impl Gateway {
    pub(crate) async fn start() -> Self {
        let gateway = Self { server: MockServer::start().await };
        gateway.takes_everything().await;
        gateway
    }

    pub(crate) fn url(&self, channel: &str) -> String {
        format!("{}/{channel}", self.server.uri())
    }

    pub(crate) fn address(&self) -> std::net::SocketAddr {
        *self.server.address()
    }

    async fn takes_everything(&self) {
        let taken = ResponseTemplate::new(202).set_body_json(serde_json::json!({"id": "gw-1"}));
        Mock::given(method("POST")).respond_with(taken).with_priority(9).mount(&self.server).await;
    }

    /// The next `times` messages of the channel get this answer.
    pub(crate) async fn answers(&self, channel: &str, response: ResponseTemplate, times: u64) {
        Mock::given(path(format!("/{channel}")))
            .respond_with(response)
            .up_to_n_times(times)
            .with_priority(1)
            .mount(&self.server)
            .await;
    }

    /// Every message that reached the channel: its body, with the idempotency key as `key`.
    pub(crate) async fn received(&self, channel: &str) -> Vec<Value> {
        let requests = self.server.received_requests().await.unwrap();
        let of_channel = requests.iter().filter(|request| request.url.path() == format!("/{channel}"));
        of_channel
            .map(|request| {
                assert_eq!(request.headers["authorization"], "Bearer gateway-token");
                let mut body: Value = serde_json::from_slice(&request.body).unwrap();
                body["key"] = request.headers["idempotency-key"].to_str().unwrap().into();
                body
            })
            .collect()
    }

    /// The method of every call.
    pub(crate) async fn methods(&self) -> Vec<String> {
        self.server.received_requests().await.unwrap().iter().map(|request| request.method.to_string()).collect()
    }

    /// The newest message of the channel.
    pub(crate) async fn last(&self, channel: &str) -> Value {
        self.received(channel).await.pop().expect("no message reached the gateway")
    }

    /// The link token of the newest e-mail that has one.
    pub(crate) async fn last_token(&self) -> String {
        let mails = self.received("email").await;
        let texts = mails.iter().rev().filter_map(|mail| mail["text"].as_str());
        let text = texts.into_iter().find(|text| text.contains("#token=")).expect("no link reached the gateway");
        let (_, rest) = text.split_once("#token=").expect("no link in the message");
        rest.split_whitespace().next().unwrap().to_owned()
    }

    /// The code of the newest message: what stands alone in a mail's line, or behind the colon of an SMS.
    pub(crate) async fn last_code(&self, channel: &str) -> String {
        let text = self.last(channel).await["text"].as_str().unwrap().to_owned();
        let is_code =
            |word: &&str| word.len() >= 4 && word.len() <= 10 && word.chars().all(|c| c.is_ascii_alphanumeric());
        let found = match channel {
            "sms" => text.split(": ").nth(1).and_then(|rest| rest.split('.').next()).filter(is_code),
            _ => text.lines().map(str::trim).find(is_code),
        };
        found.expect("no code in the message").to_owned()
    }
}
