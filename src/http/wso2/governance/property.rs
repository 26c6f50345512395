//! How a property of a connector shows a setting, and what of the settings a wanted value changes.
//!
//! All of it is pure. A property is a view: it keeps nothing of its own, and what is written through it is a JSON merge patch of
//! the settings, made from what holds at that moment because one method can be spread over several properties.

use serde_json::{Value, json};

use crate::domain::settings::{Settings, SettingsProblem};
use crate::service::settings::Standing;

/// One property, in the original's words.
pub(super) struct Property {
    pub(super) name: &'static str,
    pub(super) display_name: &'static str,
    pub(super) description: &'static str,
    /// `boolean`, `integer`, `string` or `uri`; the original says it of all but one.
    pub(super) data_type: Option<&'static str>,
    pub(super) view: View,
}

/// What a property is a view of. Settings are named by their JSON pointers.
pub(super) enum View {
    /// A setting that is true or false.
    Switch(&'static str),
    /// A setting that is a whole number.
    Whole(&'static str),
    /// A setting that has the first text when the property is on, and the second when it is off.
    Either(&'static str, &'static str, &'static str),
    /// On when this is the method.
    Method(&'static Methods, &'static str),
    /// Nothing here: always the original's default. The second text says why.
    Fixed(&'static str, &'static str),
}

/// A setting whose values are properties of their own in the original, of which one at most can be on.
pub(super) struct Methods {
    pub(super) pointer: &'static str,
    pub(super) options: &'static [&'static str],
    /// What is said when a change names several.
    pub(super) several: &'static str,
    /// What is said when a change names one beside the one that is on.
    pub(super) beside: &'static str,
    /// The method when no property is on, or what is said where one has to be.
    pub(super) none: Result<&'static str, &'static str>,
}

/// A property and a value for it that is of the right form.
pub(super) struct Wanted {
    pub(super) property: &'static Property,
    value: Value,
}

impl Property {
    /// The value that the property has, as text.
    pub(super) fn shown(&self, settings: &Tree) -> String {
        settings.shown(&self.view)
    }

    /// The value, if the property can have such a one.
    ///
    /// # Errors
    /// Why not.
    pub(super) fn want(&'static self, text: &str) -> Result<Wanted, String> {
        let text = text.trim();
        let switch = || [true, false].into_iter().find(|value| text.eq_ignore_ascii_case(&value.to_string()));
        let value = match self.view {
            View::Switch(_) | View::Either(..) | View::Method(..) => {
                switch().map(Value::from).ok_or("must be true or false")
            }
            View::Whole(_) => text.parse::<i64>().map(Value::from).map_err(|_| "must be a whole number"),
            View::Fixed(value, _) if text == value || switch().is_some_and(|switch| switch.to_string() == value) => {
                Ok(Value::Null)
            }
            View::Fixed(value, why) => return Err(format!("{}: can only be {value}: {why}", self.name)),
        };
        match value {
            Ok(value) => Ok(Wanted { property: self, value }),
            Err(what) => Err(format!("{}: {what}", self.name)),
        }
    }

    /// The setting behind it.
    pub(super) const fn pointer(&self) -> Option<&'static str> {
        match self.view {
            View::Switch(pointer) | View::Whole(pointer) | View::Either(pointer, ..) => Some(pointer),
            View::Method(methods, _) => Some(methods.pointer),
            View::Fixed(..) => None,
        }
    }
}

/// Settings written out once, for all the properties that look into them.
pub(super) struct Tree(Value);

impl Tree {
    pub(super) fn of(settings: &Settings) -> Self {
        // Writing settings out can't fail.
        Self(serde_json::to_value(settings).unwrap_or_default())
    }

    fn shown(&self, view: &View) -> String {
        let at = |pointer: &str| self.0.pointer(pointer).unwrap_or(&Value::Null);
        match *view {
            View::Switch(pointer) | View::Whole(pointer) => at(pointer).to_string(),
            View::Either(pointer, on, _) => (at(pointer) == on).to_string(),
            View::Method(methods, method) => (at(methods.pointer) == method).to_string(),
            View::Fixed(value, _) => value.to_owned(),
        }
    }
}

/// The merge patch that gives the properties their values.
///
/// # Errors
/// That more methods than one would be on, or none where one must be; in the original's words, without a pointer.
pub(super) fn patch(wanted: &[Wanted], standing: &Standing<'_>) -> Result<Value, Vec<SettingsProblem>> {
    let settings = Tree::of(standing.settings);
    let mut patch = json!({});
    for Wanted { property, value } in wanted {
        match property.view {
            View::Switch(pointer) | View::Whole(pointer) => put(&mut patch, pointer, value.clone()),
            View::Either(pointer, on, off) => {
                put(&mut patch, pointer, if *value == true { on } else { off }.into());
            }
            View::Method(methods, _) => {
                let method = methods.chosen(wanted, &settings).map_err(|detail| vec![ambiguous(detail)])?;
                put(&mut patch, methods.pointer, method.into());
            }
            View::Fixed(..) => {}
        }
    }
    Ok(patch)
}

impl Methods {
    /// The one method that is on when those properties that are wanted otherwise are so.
    fn chosen(&self, wanted: &[Wanted], settings: &Tree) -> Result<&'static str, &'static str> {
        let asked = |option: &str| {
            let found = wanted.iter().find(|wanted| match wanted.property.view {
                View::Method(methods, method) => methods.pointer == self.pointer && method == option,
                _ => false,
            });
            found.map(|wanted| wanted.value == true)
        };
        if self.options.iter().filter(|option| asked(option) == Some(true)).count() > 1 {
            return Err(self.several);
        }
        let holds = |option: &str| settings.0.pointer(self.pointer).is_some_and(|method| *method == option);
        let mut on = self.options.iter().filter(|option| asked(option).unwrap_or_else(|| holds(option)));
        match (on.next(), on.next()) {
            (Some(method), None) => Ok(method),
            (Some(_), Some(_)) => Err(self.beside),
            (None, _) => self.none,
        }
    }
}

fn ambiguous(detail: &str) -> SettingsProblem {
    SettingsProblem { pointer: String::new(), code: "ambiguous_method", detail: detail.to_owned() }
}

/// The merge patch that takes back what the tenant said of these properties. A method that is spread over several goes back as a
/// whole, as soon as one of its properties would not be as it is without the tenant's word.
pub(super) fn reverted(properties: &[&'static Property], standing: &Standing<'_>) -> Value {
    let (settings, defaults) = (Tree::of(standing.settings), Tree::of(standing.defaults));
    let mut patch = json!({});
    for property in properties {
        let (view, Some(pointer)) = (&property.view, property.pointer()) else { continue };
        let is_of_others = matches!(view, View::Method(..))
            && settings.0.pointer(pointer) != defaults.0.pointer(pointer)
            && settings.shown(view) == defaults.shown(view);
        if !is_of_others {
            put(&mut patch, pointer, Value::Null);
        }
    }
    patch
}

fn put(patch: &mut Value, pointer: &str, value: Value) {
    *pointer.split('/').skip(1).fold(patch, |node, name| {
        if !node.is_object() {
            *node = json!({});
        }
        &mut node[name]
    }) = value;
}
