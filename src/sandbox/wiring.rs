//! What the service and the person at the terminal are told of the outside world: a configuration, and a banner.

use serde_json::json;

use super::{Outside, tokens};

impl Outside {
    /// The configuration (TOML) of a service that lives in this world.
    ///
    /// # Errors
    /// When a value can't be written as TOML.
    pub fn service_config_toml(
        &self,
        listen: &str,
        metrics_listen: &str,
        database_path: &str,
        master_key: &str,
    ) -> anyhow::Result<String> {
        let Self { catcher_url, demo_url, .. } = self;
        let config = json!({
            "server": {"listen": listen, "metrics_listen": metrics_listen},
            "database": {"url": format!("sqlite://{database_path}")},
            "secrets": {"master_keys": [format!("k1:{master_key}")]},
            "auth": {"issuer": self.tokens_url, "audience": tokens::AUDIENCE, "jwks_url": self.jwks_url},
            "email": {
                "driver": "webhook",
                "url": format!("{catcher_url}/email"),
                "token": self.gateway_token.expose(),
                "from": "Sandbox <no-reply@example.com>",
            },
            "sms": {
                "driver": "webhook",
                "url": format!("{catcher_url}/sms"),
                "token": self.gateway_token.expose(),
                "from": "Sandbox",
            },
            "directory": {"driver": "scim", "base_url": self.directory_url, "token": self.directory_token.expose()},
            "worker": {"poll_interval_ms": 200},
            "log": {"format": "text"},
            "defaults": {"links": {
                "setup_url": format!("{demo_url}/set-password#token={{token}}"),
                "otp_url": format!("{demo_url}/enter-code"),
                "allowed_origins": [demo_url],
                "allowed_redirects": [format!("{demo_url}/*")],
            }},
        });
        Ok(toml::to_string(&config)?)
    }

    /// What is where, and a command that issues the first invitation.
    #[must_use]
    pub fn banner(&self, api_url: &str, metrics_listen: &str) -> String {
        let Self { catcher_url, directory_url, tokens_url, demo_url, .. } = self;
        format!(
            r#"
  invited sandbox: click through the whole job at {demo_url}

    demo        {demo_url}
    inbox       {catcher_url}
    service     {api_url}  (reference at {api_url}/docs)
    directory   {directory_url}
    tokens      {tokens_url}/token
    metrics     http://{metrics_listen}/metrics

  Or issue the first invitation from a second terminal:

    curl -sS {api_url}/v1/invitations \
      -H "Authorization: Bearer $(curl -sS -X POST -H 'Accept: text/plain' {tokens_url}/token)" \
      -H 'Content-Type: application/json' -d '{{"user":{{"username":"alex"}}}}'

  and read the message in the inbox. Everything is forgotten at the end (Ctrl-C).
"#
        )
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::{Ports, start};
    use crate::clock::OffsetClock;

    #[actix_web::test]
    async fn the_service_is_told_where_everything_is() {
        let outside = start(&Arc::new(OffsetClock::default()), Ports::default(), "http://127.0.0.1:1").unwrap();
        let text =
            outside.service_config_toml("127.0.0.1:1", "127.0.0.1:2", "/tmp/a \"b\"/invited.db", "bWFzdGVy").unwrap();
        let config: toml::Table = text.parse().unwrap();
        let told = |section: &str, key: &str| config[section][key].as_str().unwrap().to_owned();
        assert_eq!(told("database", "url"), "sqlite:///tmp/a \"b\"/invited.db");
        assert_eq!(told("directory", "base_url"), outside.directory_url);
        assert_eq!(told("email", "url"), format!("{}/email", outside.catcher_url));
        assert_eq!(told("auth", "jwks_url"), outside.jwks_url);
        let links = &config["defaults"]["links"];
        assert_eq!(links["allowed_origins"][0].as_str(), Some(outside.demo_url.as_str()));
        assert_eq!(
            links["setup_url"].as_str(),
            Some(format!("{}/set-password#token={{token}}", outside.demo_url).as_str())
        );
    }

    #[actix_web::test]
    async fn the_banner_has_a_command_to_copy() {
        let outside = start(&Arc::new(OffsetClock::default()), Ports::default(), "http://127.0.0.1:1").unwrap();
        let banner = outside.banner("http://127.0.0.1:1", "127.0.0.1:2");
        assert!(banner.contains("curl -sS http://127.0.0.1:1/v1/invitations"));
        assert!(banner.contains("http://127.0.0.1:2/metrics"));
        assert!(banner.contains(r#"-d '{"user":{"username":"alex"}}'"#));
    }
}
