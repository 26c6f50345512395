//! The driver `http`: a request made of templates, a credential, and rules for the answers.

use std::str::FromStr;

use url::Origin;

use super::Section;
use crate::config::checks;
use crate::gateway::{Authentication, HeaderName, Http, HttpBody, HttpProblem, HttpRules, Method};
use crate::outbound::token::{Grant, Tokens};

impl Section<'_> {
    /// The driver, if it can send what `check` has it make.
    pub(super) fn http(&mut self, check: fn(&Http) -> Result<(), HttpProblem>) -> Option<Box<Http>> {
        let (url, origin) = self.address();
        let (method, headers, body) = (self.method(), self.headers(), self.body());
        let authentication = self.authentication();
        let idempotency_header = match self.optional("http.idempotency_header") {
            Some(name) => Some(self.header_name("http.idempotency_header", &name)?),
            None => None,
        };
        let from = self.optional("from").unwrap_or_default();
        let rules = self.rules();
        let http = Http {
            method,
            url,
            origin: origin?,
            headers: headers?,
            body: body?,
            authentication: authentication?,
            idempotency_header,
            from,
            rules,
        };
        if let Err((key, what)) = check(&http) {
            self.fail(key, what);
        }
        Some(Box::new(http))
    }

    /// The template of the address, and where it leads: what stands before the first variable says that.
    fn address(&mut self) -> (String, Option<Origin>) {
        let text = self.required("url");
        if text.is_empty() {
            return (text, None);
        }
        let fixed = text.split(['{', '?']).next().unwrap_or_default();
        match checks::url(fixed, self.outbound) {
            Ok(url) => (text, Some(url.origin())),
            Err(error) => {
                self.fail("url", &error.to_string());
                (text, None)
            }
        }
    }

    fn method(&mut self) -> Method {
        match self.optional("http.method").as_deref() {
            None | Some("POST") => Method::POST,
            Some("PUT") => Method::PUT,
            Some(_) => {
                self.fail("http.method", r#"must be "POST" or "PUT""#);
                Method::POST
            }
        }
    }

    fn headers(&mut self) -> Option<Vec<(HeaderName, String)>> {
        let lines = self.list("http.headers");
        let parts = lines.iter().map(|line| line.split_once(':').map(|(name, value)| (name.trim(), value.trim())));
        let headers: Option<Vec<_>> = parts
            .map(|parts| parts.and_then(|(name, value)| Some((HeaderName::from_str(name).ok()?, value.to_owned()))))
            .collect();
        if headers.is_none() {
            self.fail("http.headers", r#"must be a list such as ["X-Tenant: {{ tenant }}"]"#);
        }
        headers
    }

    fn body(&mut self) -> Option<HttpBody> {
        let (json, form) = (self.optional("http.body"), self.list("http.form"));
        let fields: Option<Vec<_>> = form
            .iter()
            .map(|field| field.split_once('=').map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned())))
            .collect();
        match (json, fields) {
            (_, None) => self.fail("http.form", r#"must be a list such as ["to={{ to }}", "text={{ text }}"]"#),
            (Some(json), Some(fields)) if fields.is_empty() => return Some(HttpBody::Json(json)),
            (None, Some(fields)) if !fields.is_empty() => return Some(HttpBody::Form(fields)),
            (Some(_), Some(_)) => self.fail("http.form", "is given beside http.body; only one of them can be"),
            (None, Some(_)) => self.fail("http.body", "is required, or http.form"),
        }
        None
    }

    fn authentication(&mut self) -> Option<Authentication> {
        match self.optional("http.authentication").as_deref() {
            None | Some("none") => Some(Authentication::None),
            Some("basic") => {
                let (username, password) = (self.required("http.username"), self.secret("http.password"));
                Some(Authentication::Basic { username, password })
            }
            Some("bearer") => Some(Authentication::Bearer(self.secret("token"))),
            Some("api_key") => {
                let (name, value) = (self.required("http.api_key_header"), self.secret("token"));
                Some(Authentication::ApiKey { header: self.header_name("http.api_key_header", &name)?, value })
            }
            Some("client_credential") => self.tokens(false),
            Some("password_credential") => self.tokens(true),
            Some(_) => {
                let words = "none, basic, bearer, api_key, client_credential or password_credential";
                self.fail("http.authentication", &format!("must be {words}"));
                None
            }
        }
    }

    fn tokens(&mut self, with_password: bool) -> Option<Authentication> {
        let owner = with_password.then(|| (self.required("http.username"), self.secret("http.password")));
        let (client_id, client_secret) = (self.required("http.client_id"), self.secret("http.client_secret"));
        let (scope, token_url) = (self.optional("http.scope"), self.url("http.token_url"));
        Some(Authentication::Token(Box::new(Tokens::new(Grant {
            token_url: token_url?,
            client_id,
            client_secret,
            scope,
            owner,
        }))))
    }

    fn rules(&mut self) -> HttpRules {
        let says = self.optional("http.success_pointer").map(|pointer| (pointer, self.required("http.success_value")));
        let rules = HttpRules {
            accepted: self.statuses("http.accepted_statuses"),
            says,
            id_pointer: self.optional("http.id_pointer"),
            id_header: self.optional("http.id_header"),
            retried: self.statuses("http.retried_statuses"),
        };
        let pointers = [
            ("http.success_pointer", rules.says.as_ref().map(|says| &says.0)),
            ("http.id_pointer", rules.id_pointer.as_ref()),
        ];
        for (key, pointer) in pointers {
            if pointer.is_some_and(|pointer| !pointer.starts_with('/')) {
                self.fail(key, "must be a JSON pointer such as /messages/0/id");
            }
        }
        rules
    }

    fn header_name(&mut self, key: &'static str, name: &str) -> Option<HeaderName> {
        let parsed = HeaderName::from_str(name).ok();
        if parsed.is_none() && !name.is_empty() {
            self.fail(key, "must be the name of a header");
        }
        parsed
    }

    fn list(&mut self, name: &'static str) -> Vec<String> {
        self.read.insert(name);
        self.layers.texts(&self.key(name))
    }

    fn statuses(&mut self, name: &'static str) -> Vec<u16> {
        self.read.insert(name);
        let key = self.key(name);
        self.layers.numbers(&key, 200..=599)
    }
}
