//! Finding out where the invited person can be reached.

use super::Service;
use super::error::{Refusal, ServiceResult, lookup_refusal};
use super::issue::Plan;
use crate::directory::DirectoryUser;
use crate::domain::contact::{Email, Phone};
use crate::domain::ids::{Realm, TenantId, UserStore, Username};
use crate::domain::invitation::{Channel, Person};
use crate::domain::settings::Settings;

/// The person as a call names them; what is missing is read from the directory.
#[derive(Clone)]
pub struct NamedUser {
    pub username: Username,
    pub realm: Realm,
    pub id: Option<String>,
    pub email: Option<String>,
    pub phone: Option<String>,
    pub display_name: Option<String>,
    pub locale: Option<String>,
}

impl NamedUser {
    /// As a directory has the user, so that it need not be asked again.
    pub(super) fn found(user: DirectoryUser, realm: Realm) -> Self {
        Self {
            username: user.username,
            realm,
            id: Some(user.id),
            email: user.email.as_ref().map(|email| email.as_str().to_owned()),
            phone: user.phone.as_ref().map(|phone| phone.as_str().to_owned()),
            display_name: user.display_name,
            locale: user.locale,
        }
    }

    /// What the call says of the person, addresses checked.
    fn given(&self) -> Result<Person, Refusal> {
        let email = self.email.as_deref().map(Email::parse).transpose();
        let phone = self.phone.as_deref().map(Phone::parse).transpose();
        Ok(Person {
            id: self.id.clone(),
            email: email.map_err(|_| rejected("/user/email"))?,
            phone: phone.map_err(|_| rejected("/user/phone"))?,
            display_name: self.display_name.clone(),
            locale: self.locale.clone(),
        })
    }
}

const fn rejected(pointer: &'static str) -> Refusal {
    Refusal::RecipientRejected { pointer, code: "recipient_rejected" }
}

/// Whether the tenant lets messages go to the person on `channel`: text messages may be confined to some countries, since others'
/// numbers cost money that somebody else collects.
pub(super) fn check_country(settings: &Settings, person: &Person, channel: Channel) -> Result<(), Refusal> {
    let countries = &settings.sms.allowed_countries;
    match &person.phone {
        Some(phone) if channel == Channel::Sms && !countries.is_empty() && !phone.is_of(countries) => {
            Err(Refusal::RecipientRejected { pointer: "/user/phone", code: "country_not_allowed" })
        }
        _ => Ok(()),
    }
}

/// The person's address on a channel.
pub(super) fn address(person: &Person, channel: Channel) -> Option<&str> {
    match channel {
        Channel::Email => person.email.as_ref().map(Email::as_str),
        Channel::Sms => person.phone.as_ref().map(Phone::as_str),
        Channel::Directory | Channel::Webhook => None,
    }
}

impl Service {
    /// The person with an address where the plan sends to. With an id and that address given, the directory is not asked.
    pub(super) async fn person(&self, tenant: &TenantId, user: &NamedUser, plan: &Plan) -> ServiceResult<Person> {
        let given = user.given()?;
        if given.id.is_some() && address(&given, plan.method.channel()).is_some() {
            return Ok(given);
        }
        self.completed((UserStore { tenant, realm: &user.realm }, &user.username), given, plan).await
    }

    /// The person with what is missing read from the directory; somebody else under the same name is not found.
    pub(super) async fn completed(
        &self,
        (store, username): (UserStore<'_>, &Username),
        given: Person,
        plan: &Plan,
    ) -> ServiceResult<Person> {
        let found = self.directory.find_user(store, username).await.map_err(|error| lookup_refusal(&error))?;
        if given.id.as_ref().is_some_and(|id| *id != found.id) {
            return Err(Refusal::UserNotFound.into());
        }
        let person = Person {
            id: Some(found.id),
            email: given.email.or(found.email),
            phone: given.phone.or(found.phone),
            display_name: given.display_name.or(found.display_name),
            locale: given.locale.or(found.locale),
        };
        match plan.needs_address_on() {
            Some(channel) if address(&person, channel).is_none() => Err(Refusal::RecipientMissing(channel).into()),
            _ => Ok(person),
        }
    }
}
