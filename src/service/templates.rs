//! The tenants' own words: reading, replacing, removing and trying out templates of messages.

use super::{Caller, Refusal, Service, ServiceResult};
use crate::domain::ids::TenantId;
use crate::domain::locale::{Chosen, Locale, chain};
use crate::domain::message::{Kind, Payload, SecretKind, Template};
use crate::domain::settings::Settings;
use crate::domain::time::Timestamp;
use crate::storage::audit::{Event, record};
pub use crate::storage::templates::TemplateEntry;
use crate::storage::templates::{self as stored, Place, StoredTemplate};
use crate::storage::{Connection, StorageError};
use crate::templates;
pub use crate::templates::{Rendered, built_in_locales, sms_size, variables};

/// How many templates a tenant may have.
pub const TEMPLATES_MAX: i64 = 500;

/// Which state of the tenant's template a change is meant for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    Anything,
    /// The tenant has none there.
    Nothing,
    /// The tenant has one there.
    Something,
    Version(i64),
}

/// Which template is meant.
#[derive(Debug, Clone)]
pub struct TemplateName {
    pub kind: Kind,
    pub locale: Locale,
}

/// The template that takes effect for a kind and a locale.
pub struct EffectiveTemplate {
    pub name: TemplateName,
    pub chosen: Chosen<Template>,
    /// The tenant's own template of exactly this locale, if there is one: version and time of the last change.
    pub own: Option<(i64, Timestamp)>,
}

/// Values to try a template with, in place of samples.
#[derive(Default)]
pub struct SampleValues {
    pub name: Option<String>,
    pub username: Option<String>,
    pub link: Option<String>,
    pub otp: Option<String>,
    pub otp_url: Option<String>,
    /// -1 never expires.
    pub expires_in_minutes: Option<i64>,
}

impl Service {
    /// The tenant's own templates.
    ///
    /// # Errors
    /// A failure only.
    pub async fn list_templates(&self, caller: &Caller) -> ServiceResult<Vec<TemplateEntry>> {
        let tenant = caller.tenant.clone();
        Ok(self.store.read(move |conn| stored::list(conn, &tenant)).await?)
    }

    /// The template that takes effect.
    ///
    /// # Errors
    /// A failure only.
    pub async fn get_template(&self, caller: &Caller, name: TemplateName) -> ServiceResult<EffectiveTemplate> {
        let settings = self.settings(&caller.tenant).await?;
        let (tenant, fallback) = (caller.tenant.clone(), settings.locale.clone());
        let found = self.store.read(move |conn| effective(conn, &tenant, &name, &fallback)).await?;
        Ok(found)
    }

    /// Replaces the tenant's template of this kind and locale.
    ///
    /// # Errors
    /// [`Refusal::InvalidField`] when it breaks a rule, [`Refusal::TemplateChanged`] when another state was expected,
    /// [`Refusal::TemplateLimit`], or a failure.
    pub async fn put_template(
        &self,
        caller: &Caller,
        name: TemplateName,
        template: Template,
        expected: Expected,
    ) -> ServiceResult<EffectiveTemplate> {
        let template = checked(&name, template)?;
        let settings = self.settings(&caller.tenant).await?;
        let (place, actor) = (place(caller, &name), caller.actor.clone());
        self.store
            .write(move |conn| {
                let now = conn.now()?;
                write(conn, &place, &template, expected, now)?;
                record(conn, &actor, now, &event("template.changed", &place.tenant, &detail(&place)))?;
                Ok(effective(conn, &place.tenant, &name, &settings.locale)?)
            })
            .await
    }

    /// Removes the tenant's template of this kind and locale; what takes effect then is the next one of the chain.
    ///
    /// # Errors
    /// [`Refusal::TemplateNotFound`], [`Refusal::TemplateChanged`] when another state was expected, or a failure.
    pub async fn delete_template(&self, caller: &Caller, name: TemplateName, expected: Expected) -> ServiceResult<()> {
        let (place, actor) = (place(caller, &name), caller.actor.clone());
        self.store
            .write(move |conn| {
                let version = if let Expected::Version(version) = expected { Some(version) } else { None };
                if expected == Expected::Nothing {
                    return Err(Refusal::TemplateChanged.into());
                }
                let now = conn.now()?;
                if !stored::delete(conn, &place, version)? {
                    let refusal = if version.is_some() { Refusal::TemplateChanged } else { Refusal::TemplateNotFound };
                    return Err(refusal.into());
                }
                record(conn, &actor, now, &event("template.deleted", &place.tenant, &detail(&place)))?;
                Ok(())
            })
            .await
    }

    /// What a message would say, with sample values: the draft's words, or those that take effect.
    ///
    /// # Errors
    /// [`Refusal::InvalidField`] when the draft breaks a rule, or a failure.
    pub async fn preview_template(
        &self,
        caller: &Caller,
        name: TemplateName,
        draft: Option<Template>,
        values: SampleValues,
    ) -> ServiceResult<Rendered> {
        let settings = self.settings(&caller.tenant).await?;
        let kind = name.kind;
        let (template, locale) = if let Some(draft) = draft {
            (checked(&name, draft)?, name.locale)
        } else {
            let chosen = self.get_template(caller, name).await?.chosen;
            (chosen.text, chosen.locale)
        };
        let payload = sample(kind, &settings, values);
        Ok(templates::render(kind, &locale, &template, &payload).map_err(|_| super::Failure::Internal("preview"))?)
    }
}

fn checked(name: &TemplateName, template: Template) -> Result<Template, Refusal> {
    let template = template.with_unix_lines();
    match templates::check(name.kind, &name.locale, &template) {
        Ok(()) => Ok(template),
        Err(problem) => {
            Err(Refusal::InvalidField { pointer: problem.pointer, code: problem.code, detail: problem.detail })
        }
    }
}

fn place(caller: &Caller, name: &TemplateName) -> Place {
    Place { tenant: caller.tenant.clone(), kind: name.kind, locale: name.locale.clone() }
}

fn effective(
    conn: &mut Connection,
    tenant: &TenantId,
    name: &TemplateName,
    fallback: &str,
) -> Result<EffectiveTemplate, StorageError> {
    let chain = chain(name.locale.as_str(), fallback);
    let found = stored::find(conn, tenant, name.kind, &chain)?;
    let own = found.iter().find(|own| own.locale == name.locale).map(|own| (own.version, own.updated_at));
    let found = found.into_iter().map(|StoredTemplate { locale, template, .. }| (locale, template)).collect();
    let chosen = templates::choose(name.kind, &chain, found).ok_or(StorageError::Corrupt("template"))?;
    Ok(EffectiveTemplate { name: name.clone(), chosen, own })
}

fn write(
    conn: &mut Connection,
    place: &Place,
    template: &Template,
    expected: Expected,
    now: Timestamp,
) -> ServiceResult<()> {
    let current = stored::find(conn, &place.tenant, place.kind, std::slice::from_ref(&place.locale))?;
    if current.is_empty() && stored::count(conn, &place.tenant)? >= TEMPLATES_MAX {
        return Err(Refusal::TemplateLimit.into());
    }
    let written = match expected {
        Expected::Something if current.is_empty() => false,
        Expected::Anything | Expected::Something => {
            stored::put(conn, place, template, now)?;
            true
        }
        Expected::Nothing => stored::insert(conn, place, template, now)?,
        Expected::Version(version) => stored::replace(conn, place, template, version, now)?,
    };
    if written { Ok(()) } else { Err(Refusal::TemplateChanged.into()) }
}

fn detail(place: &Place) -> String {
    format!("{}/{}", place.kind.as_str(), place.locale.as_str())
}

fn event<'a>(event: &'static str, tenant: &'a TenantId, detail: &'a str) -> Event<'a> {
    Event { event, tenant, invitation: None, account: None, detail }
}

/// A made-up message: nothing in it opens anything.
fn sample(kind: Kind, settings: &Settings, values: SampleValues) -> Payload {
    let (link, otp, otp_url) = (values.link, values.otp, values.otp_url);
    let (link, otp, otp_url) = match kind.secret() {
        None => (None, None, None),
        Some(SecretKind::Link) => {
            let sample = || settings.links.setup_url.replace("{token}", "SAMPLE-TOKEN");
            (Some(link.unwrap_or_else(sample)), None, None)
        }
        Some(SecretKind::Otp) => {
            let sample = || "A1B2C3D4E5".chars().take(usize::from(settings.otp.length)).collect();
            let otp_url = otp_url.unwrap_or_else(|| settings.links.otp_url.clone());
            (None, Some(otp.unwrap_or_else(sample)), Some(otp_url))
        }
    };
    let expires_in_minutes = values.expires_in_minutes.unwrap_or(settings.expiry_minutes);
    Payload {
        to: String::new(),
        name: Some(values.name.unwrap_or_else(|| "Alex Example".to_owned())),
        username: values.username.unwrap_or_else(|| "alex".to_owned()),
        locale: String::new(),
        fallback_locale: String::new(),
        link,
        otp,
        otp_url,
        expires_in_minutes: (expires_in_minutes >= 0 && kind.carries_secret()).then_some(expires_in_minutes),
        autofill_host: settings.sms.autofill_origin.clone(),
        sms_from: None,
        email_from: None,
        reply_to: None,
    }
}
