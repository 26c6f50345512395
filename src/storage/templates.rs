//! The tenants' own templates of messages, one row for a kind and a locale.

use diesel::prelude::*;

use super::connection::{Connection, on_backend};
use super::error::{StorageError, readable};
use super::schema::message_template as t;
use crate::domain::ids::TenantId;
use crate::domain::locale::Locale;
use crate::domain::message::{Kind, Template};
use crate::domain::time::Timestamp;

/// Where a template is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub tenant: TenantId,
    pub kind: Kind,
    pub locale: Locale,
}

/// A stored template.
#[derive(Debug, Clone)]
pub struct StoredTemplate {
    pub locale: Locale,
    pub template: Template,
    /// Grows with every change, also over a removal.
    pub version: i64,
    pub updated_at: Timestamp,
}

/// A template in a list.
#[derive(Debug, Clone)]
pub struct TemplateEntry {
    pub kind: Kind,
    pub locale: Locale,
    pub updated_at: Timestamp,
}

type Row = (String, Option<String>, String, Option<String>, i64, i64);

/// The tenant's templates of a kind in any of these locales.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn find(
    conn: &mut Connection,
    tenant: &TenantId,
    kind: Kind,
    locales: &[Locale],
) -> Result<Vec<StoredTemplate>, StorageError> {
    let query = t::table
        .filter(t::tenant.eq(tenant.as_str()).and(t::kind.eq(kind.as_str())))
        .filter(t::locale.eq_any(locales.iter().map(Locale::as_str)))
        .select((t::locale, t::subject, t::text, t::html, t::version, t::updated_at));
    let rows: Vec<Row> = on_backend!(conn, |c| query.load(c))?;
    rows.into_iter().map(stored).collect()
}

fn stored((locale, subject, text, html, version, updated_at): Row) -> Result<StoredTemplate, StorageError> {
    Ok(StoredTemplate {
        locale: readable(Locale::parse(&locale), "template's locale")?,
        template: Template { subject, text, html },
        version,
        updated_at: Timestamp::from_millis(updated_at),
    })
}

/// All templates of the tenant, by kind and locale.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn list(conn: &mut Connection, tenant: &TenantId) -> Result<Vec<TemplateEntry>, StorageError> {
    let query = t::table.filter(t::tenant.eq(tenant.as_str())).order((t::kind, t::locale)).select((
        t::kind,
        t::locale,
        t::updated_at,
    ));
    let rows: Vec<(String, String, i64)> = on_backend!(conn, |c| query.load(c))?;
    rows.into_iter()
        .map(|(kind, locale, updated_at)| {
            Ok(TemplateEntry {
                kind: readable(Kind::parse(&kind), "template's kind")?,
                locale: readable(Locale::parse(&locale), "template's locale")?,
                updated_at: Timestamp::from_millis(updated_at),
            })
        })
        .collect()
}

/// How many templates the tenant has.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn count(conn: &mut Connection, tenant: &TenantId) -> Result<i64, StorageError> {
    let query = t::table.filter(t::tenant.eq(tenant.as_str())).count();
    Ok(on_backend!(conn, |c| query.get_result(c))?)
}

/// Writes a template over whatever is there.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn put(conn: &mut Connection, place: &Place, template: &Template, now: Timestamp) -> Result<(), StorageError> {
    on_backend!(conn, |c| diesel::insert_into(t::table)
        .values((key(place), words(template), t::version.eq(now.millis()), t::updated_at.eq(now.millis())))
        .on_conflict((t::tenant, t::kind, t::locale))
        .do_update()
        .set((words(template), t::version.eq(t::version + 1), t::updated_at.eq(now.millis())))
        .execute(c))?;
    Ok(())
}

/// Adds a template where none is; false when there is one.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn insert(conn: &mut Connection, place: &Place, template: &Template, now: Timestamp) -> Result<bool, StorageError> {
    let added = on_backend!(conn, |c| diesel::insert_into(t::table)
        .values((key(place), words(template), t::version.eq(now.millis()), t::updated_at.eq(now.millis())))
        .on_conflict_do_nothing()
        .execute(c))?;
    Ok(added == 1)
}

/// Replaces the template of this version; false when it is another one by now.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn replace(
    conn: &mut Connection,
    place: &Place,
    template: &Template,
    version: i64,
    now: Timestamp,
) -> Result<bool, StorageError> {
    let row = t::table
        .find((place.tenant.as_str(), place.kind.as_str(), place.locale.as_str()))
        .filter(t::version.eq(version));
    let changed = on_backend!(conn, |c| diesel::update(row)
        .set((words(template), t::version.eq(t::version + 1), t::updated_at.eq(now.millis())))
        .execute(c))?;
    Ok(changed == 1)
}

/// Removes the template, only that of this version if one is named; false when it is not there.
///
/// # Errors
/// [`StorageError`] when the database fails.
pub fn delete(conn: &mut Connection, place: &Place, version: Option<i64>) -> Result<bool, StorageError> {
    let row = t::table.find((place.tenant.as_str(), place.kind.as_str(), place.locale.as_str()));
    let removed = match version {
        None => on_backend!(conn, |c| diesel::delete(row).execute(c))?,
        Some(version) => on_backend!(conn, |c| diesel::delete(row.filter(t::version.eq(version))).execute(c))?,
    };
    Ok(removed == 1)
}

type ByKey<'a> =
    (diesel::dsl::Eq<t::tenant, &'a str>, diesel::dsl::Eq<t::kind, &'a str>, diesel::dsl::Eq<t::locale, &'a str>);

fn key(place: &Place) -> ByKey<'_> {
    (t::tenant.eq(place.tenant.as_str()), t::kind.eq(place.kind.as_str()), t::locale.eq(place.locale.as_str()))
}

type Words<'a> = (
    diesel::dsl::Eq<t::subject, Option<&'a str>>,
    diesel::dsl::Eq<t::text, &'a str>,
    diesel::dsl::Eq<t::html, Option<&'a str>>,
);

fn words(template: &Template) -> Words<'_> {
    (
        t::subject.eq(template.subject.as_deref()),
        t::text.eq(template.text.as_str()),
        t::html.eq(template.html.as_deref()),
    )
}
