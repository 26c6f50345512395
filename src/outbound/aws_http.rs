//! Lets the libraries of AWS call through our client, with its deadlines and bounds.

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use reqwest::{Client, Method, RequestBuilder};

use super::read_body;

/// Our client, as they want one.
#[derive(Debug, Clone)]
pub(super) struct AwsHttp(pub(super) Client);

impl HttpClient for AwsHttp {
    fn http_connector(&self, settings: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(Connector { client: self.0.clone(), settings: settings.clone() })
    }
}

#[derive(Debug)]
struct Connector {
    client: Client,
    settings: HttpConnectorSettings,
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let made = self.request(&request);
        HttpConnectorFuture::new(async move { answer(made?).await })
    }
}

impl Connector {
    fn request(&self, request: &HttpRequest) -> Result<RequestBuilder, ConnectorError> {
        let method =
            Method::from_bytes(request.method().as_bytes()).map_err(|error| ConnectorError::user(error.into()))?;
        let body = request.body().bytes().ok_or_else(|| ConnectorError::user("a body that streams".into()))?;
        let made = self.client.request(method, request.uri()).body(body.to_vec());
        let made = request.headers().iter().fold(made, |made, (name, value)| made.header(name, value));
        let (connect, read) = (self.settings.connect_timeout(), self.settings.read_timeout());
        Ok(match connect.zip(read) {
            Some((connect, read)) => made.timeout(connect + read),
            None => made,
        })
    }
}

async fn answer(request: RequestBuilder) -> Result<HttpResponse, ConnectorError> {
    let response = request.send().await.map_err(|error| {
        if error.is_timeout() { ConnectorError::timeout(error.into()) } else { ConnectorError::io(error.into()) }
    })?;
    let status = response.status().as_u16().try_into().map_err(|_| ConnectorError::io("no status".into()))?;
    let headers = response.headers().clone();
    let body = read_body(response).await.ok_or_else(|| ConnectorError::io("an answer without end".into()))?;
    let mut answer = HttpResponse::new(status, SdkBody::from(body));
    for (name, value) in &headers {
        if let Ok(value) = value.to_str() {
            answer.headers_mut().append(name.as_str().to_owned(), value.to_owned());
        }
    }
    Ok(answer)
}
