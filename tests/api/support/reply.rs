use reqwest::header::HeaderMap;
use serde_json::Value;

/// An answer, read to its end.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    pub(crate) body: Value,
}

impl Reply {
    pub(crate) async fn read(response: reqwest::Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.unwrap();
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        Self { status, headers, text, body }
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The body of a success.
    #[track_caller]
    pub(crate) fn ok(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        self.body
    }

    /// A problem of this status and code, complete as RFC 9457 and our contract want it.
    #[track_caller]
    pub(crate) fn problem(self, status: u16, code: &str) -> Value {
        assert_eq!((self.status, self.body["code"].as_str()), (status, Some(code)), "{}", self.text);
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!(self.body["status"], status);
        assert_eq!(self.body["type"], format!("urn:invited:problem:{code}"));
        for field in ["title", "detail", "instance", "traceId"] {
            assert!(self.body[field].is_string(), "{field} in {}", self.text);
        }
        assert_eq!(self.header("cache-control"), "no-store");
        self.body
    }

    /// An error of WSO2's routes, of this status and code; its description.
    #[track_caller]
    pub(crate) fn fault(self, status: u16, code: &str) -> String {
        assert_eq!((self.status, self.body["code"].as_str()), (status, Some(code)), "{}", self.text);
        assert_eq!(self.header("content-type"), "application/json");
        for field in ["message", "description", "traceId"] {
            assert!(self.body[field].as_str().is_some_and(|text| !text.is_empty()), "{field} in {}", self.text);
        }
        assert_eq!(self.header("cache-control"), "no-store");
        self.body["description"].as_str().unwrap().to_owned()
    }

    /// A problem with one field, named by its pointer.
    #[track_caller]
    pub(crate) fn field_problem(self, status: u16, pointer: &str, field_code: &str) {
        let code = self.body["code"].as_str().unwrap_or_default().to_owned();
        let problem = self.problem(status, &code);
        let errors = problem["errors"].as_array().cloned().unwrap_or_default();
        assert!(
            errors.iter().any(|error| error["pointer"] == pointer && error["code"] == field_code),
            "{pointer} {field_code} in {problem}"
        );
    }
}
