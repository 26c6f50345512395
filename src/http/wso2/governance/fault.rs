//! The numbers of this API's errors, with the original's words.

use actix_web::http::StatusCode;

use super::property::Property;
use crate::domain::settings::SettingsProblem;
use crate::http::wso2::Fault;
use crate::service::{Refusal, ServiceError};

/// An operation, by what is said when it fails on our side.
pub(super) struct Operation {
    code: &'static str,
    message: &'static str,
    description: &'static str,
}

pub(super) const READING_CATEGORY: Operation = Operation {
    code: "IDG-50002",
    message: "Unable to get the identity governance category.",
    description: "Server Encountered an error while retrieving identity governance category.",
};
pub(super) const READING_CONNECTOR: Operation = Operation {
    code: "IDG-50003",
    message: "Unable to get the identity governance connector.",
    description: "Server Encountered an error while retrieving identity governance connector.",
};
pub(super) const UPDATING: Operation = Operation {
    code: "IDG-50004",
    message: "Unable to update the identity governance connector property.",
    description: "Server Encountered an error while updating identity governance connector property.",
};
pub(super) const READING_PREFERENCES: Operation = Operation {
    code: "IDG-50010",
    message: "Unable to get the identity governance preferences.",
    description: "Server Encountered an error while retrieving identity governance connector preferences.",
};
pub(super) const REVERTING: Operation = Operation {
    code: "IDG-50018",
    message: "Unable to revert the identity governance connector properties.",
    description: "Server Encountered an error while reverting identity governance connector properties.",
};

impl Operation {
    /// What is answered when the use case did not do it. Settings that can't be are the caller's error, also where the original
    /// takes them for its own; the fields are named by those of `properties` that show them.
    pub(super) fn failed(&self, error: ServiceError, properties: &[&Property]) -> Fault {
        if let ServiceError::Refused(Refusal::SettingsRejected(problems)) = &error {
            return not_updated(reason(problems, properties));
        }
        let is_ours = matches!(error, ServiceError::Failed(_));
        let mut fault = Fault::from(error);
        if is_ours {
            (fault.code, fault.message) = (self.code.to_owned(), self.message.to_owned());
            self.description.clone_into(&mut fault.description);
        }
        fault
    }
}

/// The problems in one line. One without a pointer is a sentence of the original's.
fn reason(problems: &[SettingsProblem], properties: &[&Property]) -> String {
    let said = problems.iter().map(|problem| {
        let mut showing = properties.iter().filter(|property| property.pointer() == Some(&problem.pointer));
        match (problem.pointer.trim_start_matches('/'), showing.next(), showing.next()) {
            ("", ..) => problem.detail.clone(),
            (_, Some(property), None) => format!("{}: {}", property.name, problem.detail),
            (setting, ..) => format!("{}: {}", setting.replace('/', "."), problem.detail),
        }
    });
    said.collect::<Vec<_>>().join("; ")
}

/// The update asks for something that can't be; the reason is the caller's to read.
pub(super) fn not_updated(reason: impl Into<String>) -> Fault {
    bad_request("IDG-50013", "Connector update failed.", reason)
}

pub(super) fn no_category(id: &str) -> Fault {
    not_found("IDG-50008", format!("Unable to find any category with the provided identifier {}.", quoted(id)))
}

pub(super) fn no_connector(id: &str) -> Fault {
    not_found("IDG-50009", format!("Unable to find any connector with the provided identifier {}.", quoted(id)))
}

pub(super) fn no_such_preference(connector: &str) -> Fault {
    let description = format!("Unable to find a connector with the name {}.", quoted(connector));
    bad_request("IDG-50011", "Invalid connector name", description)
}

pub(super) fn unsupported_property(name: &str) -> Fault {
    let description = format!("The property {} is not supported by this API.", quoted(name));
    bad_request("IDG-50012", "Unsupported property is requested.", description)
}

pub(super) fn nothing_to_revert() -> Fault {
    bad_request("IDG-50016", "No properties to revert.", "No properties were provided to revert.")
}

pub(super) fn no_property(name: &str, connector: &str) -> Fault {
    bad_request("IDG-50017", "Property not found.", no_property_of(name, connector))
}

/// What is said of a property that a connector does not have.
pub(super) fn no_property_of(name: &str, connector: &str) -> String {
    format!("The property: {} is not found in the connector: {connector}.", quoted(name))
}

/// What a list is asked for and this API never had.
pub(super) fn not_supported(parameter: &str) -> Option<Fault> {
    let (code, message, description) = match parameter {
        "limit" | "offset" => (
            "IDG-50005",
            "Pagination not supported.",
            "Pagination capabilities are not supported in this version of the API.",
        ),
        "filter" => (
            "IDG-50006",
            "Filtering not supported.",
            "Filtering capability is not supported in this version of the API.",
        ),
        "sort" => {
            ("IDG-50007", "Sorting not supported.", "Sorting capability is not supported in this version of the API.")
        }
        _ => return None,
    };
    Some(Fault::new(StatusCode::NOT_IMPLEMENTED, code, message, description))
}

/// The caller's own word in one short line.
fn quoted(word: &str) -> String {
    crate::outbound::safe_line(word, 128).unwrap_or_default()
}

fn bad_request(code: &str, message: &str, description: impl Into<String>) -> Fault {
    Fault::new(StatusCode::BAD_REQUEST, code, message, description)
}

fn not_found(code: &str, description: String) -> Fault {
    Fault::new(StatusCode::NOT_FOUND, code, "Resource not found.", description)
}
