//! Three layers: what is built in, what the operator gave, what the tenant overrides; and which of them each value is from.
//!
//! Overrides are a JSON object of only what is overridden. Whoever wants to store some has to pass [`Defaults::merged`], which
//! finds every problem at once. What is stored already and no longer fits, because the operator changed the layer below, is set
//! aside key by key by [`Defaults::effective`], so that no change of the operator's makes a tenant unusable.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde::Serialize;
use serde_json::{Map, Value, json};
use serde_path_to_error::Segment;
use utoipa::ToSchema;

use super::{Settings, SettingsProblem};

/// Longest overrides, in bytes of JSON.
const OVERRIDES_MAX: usize = 16 * 1024;
/// The one key that no other may outvote: whoever asked to be strict is not made lax by a change of the operator's.
const PROFILE: [&str; 2] = ["policy", "profile"];

/// The layer that a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// Built in.
    Default,
    /// The operator's configuration.
    Operator,
    /// The tenant's own.
    Tenant,
}

/// The two lower layers: the settings of a tenant that overrides none, and which of them the operator gave.
#[derive(Debug, Clone)]
pub struct Defaults {
    pub settings: Settings,
    given: Value,
}

/// The settings that hold for a tenant.
#[derive(Debug, Clone)]
pub struct Effective {
    pub settings: Settings,
    /// The layer of every single value, by its dotted key.
    pub sources: BTreeMap<String, Source>,
    /// Dotted keys of overrides that no longer fit and are set aside.
    pub set_aside: Vec<String>,
}

/// One value, or what is in the place of one, with the names that lead to it.
struct Leaf<'a> {
    path: Vec<&'a str>,
    value: &'a Value,
    /// What the built-in settings have there; none if they know no such key.
    known: Option<&'a Value>,
}

impl Leaf<'_> {
    fn key(&self) -> String {
        self.path.join(".")
    }

    fn pointer(&self) -> String {
        let escape = |name: &&str| format!("/{}", name.replace('~', "~0").replace('/', "~1"));
        self.path.iter().map(escape).collect()
    }

    /// Puts the value into `tree`, with the objects that lead to it.
    fn put(&self, tree: &mut Value) {
        *self.path.iter().fold(tree, |node, name| {
            if !node.is_object() {
                *node = json!({});
            }
            &mut node[*name]
        }) = self.value.clone();
    }

    /// What is wrong with there being a value here, or an object.
    fn misplaced(&self) -> Option<SettingsProblem> {
        let Some(known) = self.known else {
            return Some(problem(self.pointer(), "unknown_field", "is not known here".to_owned()));
        };
        let expected = if known.is_object() { "must be an object" } else { "must not be an object" };
        (known.is_object() != self.value.is_object())
            .then(|| problem(self.pointer(), "invalid_value", expected.to_owned()))
    }

    /// What is wrong with the value whatever the others are; judged over `base`, a tree that is right.
    fn fault(&self, base: &Value) -> Option<SettingsProblem> {
        self.misplaced().or_else(|| {
            let mut tree = base.clone();
            self.put(&mut tree);
            serde_path_to_error::deserialize::<_, Settings>(tree).err().map(|error| explain(&error))
        })
    }
}

impl Defaults {
    /// The built-in settings under what the operator gave.
    ///
    /// # Errors
    /// Every problem found, each with its pointer.
    pub fn new(given: Value) -> Result<Self, Vec<SettingsProblem>> {
        let settings = Self::built_in().merged(&given)?;
        Ok(Self { settings, given })
    }

    /// What holds when the operator says nothing.
    #[must_use]
    pub fn built_in() -> Self {
        Self { settings: Settings::default(), given: json!({}) }
    }

    /// The settings with `overrides` laid over them, checked as a whole.
    ///
    /// # Errors
    /// Every problem found, each with its pointer.
    pub fn merged(&self, overrides: &Value) -> Result<Settings, Vec<SettingsProblem>> {
        let base = tree_of(&self.settings);
        let (settings, mut problems) = laid_over(&base, &leaves(&base, overrides));
        if overrides.to_string().len() > OVERRIDES_MAX {
            problems.push(problem(String::new(), "too_large", "must be 16 KiB of JSON at most".to_owned()));
        }
        problems.extend(settings.iter().flat_map(Settings::problems));
        settings.filter(|_| problems.is_empty()).ok_or(problems)
    }

    /// What is wrong with a change as such, before it is applied: names that nobody knows, and values in the wrong place. A
    /// `null` for an unknown name is in order when `stored` has it, since that is how an outlived override goes away.
    #[must_use]
    pub fn faults_of_patch(&self, stored: &Value, patch: &Value) -> Vec<SettingsProblem> {
        let base = tree_of(&self.settings);
        let is_removal = |leaf: &Leaf<'_>| {
            leaf.value.is_null() && (leaf.known.is_some() || stored.pointer(&leaf.pointer()).is_some())
        };
        leaves(&base, patch).iter().filter(|leaf| !is_removal(leaf)).filter_map(|leaf| leaf.fault(&base)).collect()
    }

    /// What holds for a tenant with these overrides, whether or not they all still fit.
    #[must_use]
    pub fn effective(&self, overrides: &Value) -> Effective {
        let base = tree_of(&self.settings);
        let mut set_aside = Vec::new();
        let (settings, kept) = match self.merged(overrides) {
            Ok(settings) => (settings, overrides.clone()),
            Err(_) => self.fitting(&base, overrides, &mut set_aside),
        };
        let sources = leaves(&base, &base).iter().map(|leaf| (leaf.key(), self.source(leaf, &kept))).collect();
        Effective { settings, sources, set_aside }
    }

    fn source(&self, leaf: &Leaf<'_>, overrides: &Value) -> Source {
        let pointer = leaf.pointer();
        if overrides.pointer(&pointer).is_some() {
            Source::Tenant
        } else if self.given.pointer(&pointer).is_some() {
            Source::Operator
        } else {
            Source::Default
        }
    }

    /// As many overrides as fit: each is tried on its own, again while that helps, and one that adds a problem is set aside.
    fn fitting(&self, base: &Value, overrides: &Value, set_aside: &mut Vec<String>) -> (Settings, Value) {
        let mut waiting: Vec<_> =
            leaves(base, overrides).into_iter().filter(|leaf| leaf.fault(base).is_none()).collect();
        waiting.sort_by_key(|leaf| leaf.path != PROFILE);
        let (mut settings, mut kept) = (self.settings.clone(), json!({}));
        let mut tolerated = HashSet::new();
        loop {
            let before = waiting.len();
            waiting.retain(|leaf| {
                let mut tree = tree_of(&settings);
                leaf.put(&mut tree);
                let Ok(candidate) = serde_json::from_value::<Settings>(tree) else { return true };
                let problems: HashSet<_> = candidate.problems().into_iter().collect();
                if leaf.path != PROFILE && !problems.is_subset(&tolerated) {
                    return true;
                }
                leaf.put(&mut kept);
                (settings, tolerated) = (candidate, problems);
                false
            });
            if waiting.len() == before {
                break;
            }
        }
        let lost = leaves(base, overrides).into_iter().filter(|leaf| kept.pointer(&leaf.pointer()).is_none());
        set_aside.extend(lost.map(|leaf| leaf.key()));
        (settings, kept)
    }
}

/// The overrides with a JSON merge patch (RFC 7396) applied: `null` takes an override away. What is left is minimal: no `null`,
/// no empty object.
#[must_use]
pub fn apply(overrides: &Value, patch: &Value) -> Value {
    let mut members = overrides.as_object().cloned().unwrap_or_default();
    for (name, change) in patch.as_object().into_iter().flatten() {
        let changed = match change {
            Value::Object(_) => apply(members.get(name).unwrap_or(&Value::Null), change),
            other => other.clone(),
        };
        if changed.is_null() || changed.as_object().is_some_and(Map::is_empty) {
            members.remove(name);
        } else {
            members.insert(name.clone(), changed);
        }
    }
    Value::Object(members)
}

/// The dotted keys at which two overrides differ.
#[must_use]
pub fn differences(before: &Value, after: &Value) -> Vec<String> {
    let built_in = tree_of(&Settings::default());
    let (before, after) = (leaves(&built_in, before), leaves(&built_in, after));
    let values: BTreeMap<_, _> = before.iter().map(|leaf| (leaf.key(), leaf.value)).collect();
    let now: BTreeMap<_, _> = after.iter().map(|leaf| (leaf.key(), leaf.value)).collect();
    let keys: BTreeSet<_> = values.keys().chain(now.keys()).collect();
    keys.into_iter().filter(|key| values.get(*key) != now.get(*key)).cloned().collect()
}

/// The settings of `base` with those values that can be read laid over it, and what is wrong with the others.
fn laid_over(base: &Value, leaves: &[Leaf<'_>]) -> (Option<Settings>, Vec<SettingsProblem>) {
    let with = |wanted: &dyn Fn(&Leaf<'_>) -> bool| {
        let mut tree = base.clone();
        leaves.iter().filter(|leaf| wanted(leaf)).for_each(|leaf| leaf.put(&mut tree));
        serde_json::from_value(tree).ok()
    };
    // Nearly always all is well, and one reading says so.
    if leaves.iter().all(|leaf| leaf.misplaced().is_none())
        && let Some(settings) = with(&|_| true)
    {
        return (Some(settings), Vec::new());
    }
    let faults = leaves.iter().filter_map(|leaf| leaf.fault(base)).collect();
    (with(&|leaf| leaf.fault(base).is_none()), faults)
}

fn tree_of(settings: &Settings) -> Value {
    serde_json::to_value(settings).unwrap_or_default()
}

/// Every value below `tree`, as deep as `known` has objects.
fn leaves<'a>(known: &'a Value, tree: &'a Value) -> Vec<Leaf<'a>> {
    fn walk<'a>(path: &[&'a str], known: Option<&'a Value>, value: &'a Value, found: &mut Vec<Leaf<'a>>) {
        match (known, value) {
            (Some(Value::Object(known)), Value::Object(members)) => {
                for (name, member) in members {
                    let path: Vec<_> = path.iter().copied().chain([name.as_str()]).collect();
                    walk(&path, known.get(name), member, found);
                }
            }
            _ => found.push(Leaf { path: path.to_vec(), value, known }),
        }
    }
    let mut found = Vec::new();
    walk(&[], Some(known), tree, &mut found);
    found
}

/// Says what is wrong where without repeating the value.
fn explain(error: &serde_path_to_error::Error<serde_json::Error>) -> SettingsProblem {
    let pointer = error.path().iter().filter_map(|segment| match segment {
        Segment::Seq { index } => Some(format!("/{index}")),
        Segment::Map { key } => Some(format!("/{key}")),
        Segment::Enum { .. } | Segment::Unknown => None,
    });
    let words = error.inner().to_string();
    let expected = match words.rsplit_once(", expected ").map_or("another value", |(_, expected)| expected) {
        "u8" | "u16" | "u32" | "i64" => "a whole number in range",
        "a boolean" => "true or false",
        "a sequence" => "a list",
        "a string" | "option" => "a text",
        other => other,
    };
    problem(pointer.collect(), "invalid_value", format!("must be {expected}"))
}

fn problem(pointer: String, code: &'static str, detail: String) -> SettingsProblem {
    SettingsProblem { pointer, code, detail }
}
