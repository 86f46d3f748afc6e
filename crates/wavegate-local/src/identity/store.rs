//! What is kept, one row each.

use serde_json::Value;

use super::Identity;

/// What a row holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Role,
    Policy,
}

/// A row's place.
pub(crate) type Key = (Kind, String);

impl Kind {
    /// Its name on disk.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Role => "role",
            Self::Policy => "policy",
        }
    }
}

impl Identity {
    /// The rows that were made, changed or removed since the last call.
    pub(crate) fn take_changes(&mut self) -> Vec<Key> {
        std::mem::take(&mut self.changed).into_iter().collect()
    }

    /// Notes rows as changed once more, because storing them failed.
    pub(crate) fn not_stored(&mut self, keys: Vec<Key>) {
        self.changed.extend(keys);
    }

    /// A row, for storing it. Absent after removal.
    pub(crate) fn row(&self, (kind, key): &Key) -> serde_json::Result<Option<String>> {
        match kind {
            Kind::Role => self.roles.get(key).map(serde_json::to_string).transpose(),
            Kind::Policy => self.policies.get(key).map(serde_json::to_string).transpose(),
        }
    }

    /// Puts stored rows back: kind, key and record of each.
    pub(crate) fn restore(
        &mut self,
        rows: impl IntoIterator<Item = (String, String, Value)>,
    ) -> Result<(), String> {
        for (kind, key, record) in rows {
            let damaged = |error: serde_json::Error| format!("the {kind} {key}: {error}");
            match kind.as_str() {
                "role" => {
                    let role = serde_json::from_value(record).map_err(damaged)?;
                    self.roles.insert(key, role);
                }
                "policy" => {
                    let policy = serde_json::from_value(record).map_err(damaged)?;
                    self.policies.insert(key, policy);
                }
                other => return Err(format!("{other} is nothing that IAM keeps")),
            }
        }
        Ok(())
    }

    /// Notes a row as changed.
    pub(super) fn touch(&mut self, kind: Kind, key: &str) {
        self.changed.insert((kind, key.to_owned()));
    }
}
