//! The section `outbound`: how others are called, and through whom.

use url::{Position, Url};

use super::OutboundConfig;
use super::layers::Layers;
use super::sections::parsed;
use crate::domain::secret::Secret;
use crate::outbound::{Authorities, Egress, Proxy};

const PROXY: &str = "outbound.proxy";
const USERNAME: &str = "outbound.proxy_username";
const PASSWORD: &str = "outbound.proxy_password";

pub(super) fn read(layers: &mut Layers) -> OutboundConfig {
    OutboundConfig {
        allow_insecure_http: layers.flag("outbound.allow_insecure_http"),
        egress: Egress::new(proxy(layers), authorities(layers)),
    }
}

fn proxy(layers: &mut Layers) -> Option<Proxy> {
    let direct = parsed(layers, "outbound.no_proxy");
    let credential = credential(layers);
    let Some(text) = layers.optional_text(PROXY) else {
        for key in [USERNAME, PASSWORD].into_iter().filter(|key| layers.is_given(key)).collect::<Vec<_>>() {
            layers.fail(key, format_args!("goes with {PROXY}, which is not given"));
        }
        return None;
    };
    let url = proxy_url(&text).map_err(|hint| layers.fail(PROXY, hint)).ok()?;
    Some(Proxy { url, credential, direct })
}

fn proxy_url(text: &str) -> Result<Url, &'static str> {
    const HINT: &str = "must be a URL such as http://proxy.example.com:3128, without a path";
    let url = Url::parse(text).or(Err(HINT))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not contain a credential: it goes into outbound.proxy_username and outbound.proxy_password");
    }
    let is_bare = matches!(&url[Position::BeforePath..], "" | "/");
    if matches!(url.scheme(), "http" | "https") && url.has_host() && is_bare { Ok(url) } else { Err(HINT) }
}

fn credential(layers: &mut Layers) -> Option<(String, Secret)> {
    match (layers.optional_text(USERNAME), layers.optional_text(PASSWORD)) {
        (Some(name), _) if name.contains(':') => layers.fail(USERNAME, "must not contain a colon"),
        (Some(name), Some(password)) => return Some((name, Secret::new(password))),
        (Some(_), None) => layers.fail_missing(PASSWORD),
        (None, Some(_)) => layers.fail_missing(USERNAME),
        (None, None) => {}
    }
    None
}

fn authorities(layers: &mut Layers) -> Authorities {
    const KEY: &str = "outbound.ca_file";
    let Some(path) = layers.optional_text(KEY) else { return Authorities::default() };
    let read = std::fs::read(path).map_err(|error| format!("can't be read: {}", error.kind()));
    let authorities = read.and_then(|pem| Authorities::from_pem(&pem).map_err(|error| error.to_string()));
    authorities.unwrap_or_else(|problem| {
        layers.fail(KEY, problem);
        Authorities::default()
    })
}
