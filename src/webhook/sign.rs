//! The signature of Standard Webhooks: `v1,` and the base64 of an HMAC-SHA-256 over `id.timestamp.body`.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::domain::webhook::SigningSecret;

pub(super) fn signature(secret: &SigningSecret, id: &str, seconds: i64, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let tag = hmac::sign(&key, format!("{id}.{seconds}.{body}").as_bytes());
    format!("v1,{}", STANDARD.encode(tag))
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;

    #[test]
    fn the_published_vector_is_met() {
        let secret = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let secret = SigningSecret::from_bytes(Zeroizing::new(secret));
        let signed = signature(&secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn another_implementation_makes_the_same() {
        let secret = SigningSecret::new([7; 32]);
        let other = standardwebhooks::Webhook::new(secret.reveal().expose()).unwrap();
        let body = r#"{"type":"webhook.test","data":{"name":"Zoë"}}"#;
        assert_eq!(
            signature(&secret, "msg_1", 1_795_514_400, body),
            other.sign("msg_1", 1_795_514_400, body.as_bytes()).unwrap()
        );
    }
}
