//! What is kept besides functions, one row each: layers, code signing configurations, event source
//! mappings. These records are part of the format on disk: fields may be added with defaults, never
//! renamed or removed.

use serde_json::Value;

use super::Lambda;

/// What a row holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Layer,
    CodeSigning,
    Mapping,
}

/// A row's place.
pub(crate) type Key = (Kind, String);

impl Kind {
    /// Its name on disk.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Layer => "layer",
            Self::CodeSigning => "code-signing-config",
            Self::Mapping => "event-source-mapping",
        }
    }
}

impl Lambda {
    /// The rows that were made, changed or removed since the last call.
    pub(crate) fn take_row_changes(&mut self) -> Vec<Key> {
        std::mem::take(&mut self.changed_rows).into_iter().collect()
    }

    /// Notes rows as changed once more, because storing them failed.
    pub(crate) fn rows_not_stored(&mut self, keys: Vec<Key>) {
        self.changed_rows.extend(keys);
    }

    /// A row, for storing it. Absent after removal.
    pub(crate) fn row(&self, (kind, key): &Key) -> serde_json::Result<Option<String>> {
        fn json<T: serde::Serialize>(record: Option<&T>) -> serde_json::Result<Option<String>> {
            record.map(serde_json::to_string).transpose()
        }
        match kind {
            Kind::Layer => json(self.layers.get(key)),
            Kind::CodeSigning => json(self.code_signing.get(key)),
            Kind::Mapping => json(self.mappings.get(key)),
        }
    }

    /// Puts stored rows back: kind, key and record of each.
    pub(crate) fn restore_rows(
        &mut self,
        rows: impl IntoIterator<Item = (String, String, Value)>,
    ) -> Result<(), String> {
        for (kind, key, record) in rows {
            let damaged = |error: serde_json::Error| format!("the {kind} {key}: {error}");
            let read = match kind.as_str() {
                "layer" => serde_json::from_value(record)
                    .map(|it| drop(self.layers.insert(key.clone(), it))),
                "code-signing-config" => serde_json::from_value(record)
                    .map(|it| drop(self.code_signing.insert(key.clone(), it))),
                "event-source-mapping" => serde_json::from_value(record)
                    .map(|it| drop(self.mappings.insert(key.clone(), it))),
                other => return Err(format!("{other} is nothing that Lambda keeps")),
            };
            read.map_err(damaged)?;
        }
        Ok(())
    }

    /// Notes a row as changed.
    pub(super) fn touch(&mut self, kind: Kind, key: &str) {
        self.changed_rows.insert((kind, key.to_owned()));
    }
}
