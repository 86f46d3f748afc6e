//! Records by key that know which of them have changed since they were stored.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::ops::Deref;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Kind, key and record of a row.
pub(crate) type Row = (String, String, Value);

/// Kind, key and record of a row to be written; absent ones are removed.
pub(crate) type NewRow = (&'static str, String, Option<String>);

/// Records of one kind. They are read as a map, and changed by this type's own methods alone, so that no
/// change is forgotten.
#[derive(Debug, Clone)]
pub(crate) struct Rows<T> {
    kind: &'static str,
    all: BTreeMap<String, T>,
    changed: BTreeSet<String>,
}

impl<T> Rows<T> {
    /// None yet. `kind` is their name on disk.
    pub(crate) fn new(kind: &'static str) -> Self {
        Self { kind, all: BTreeMap::new(), changed: BTreeSet::new() }
    }

    /// Puts a record in.
    pub(crate) fn insert(&mut self, key: impl Into<String>, record: T) {
        let key = key.into();
        self.changed.insert(key.clone());
        self.all.insert(key, record);
    }

    /// Takes a record out.
    pub(crate) fn remove(&mut self, key: &str) -> Option<T> {
        let record = self.all.remove(key)?;
        self.changed.insert(key.to_owned());
        Some(record)
    }

    /// A record that is going to be changed.
    pub(crate) fn get_mut(&mut self, key: &str) -> Option<&mut T> {
        let record = self.all.get_mut(key)?;
        self.changed.insert(key.to_owned());
        Some(record)
    }

    /// A record that is going to be changed, and is made if it is not there.
    pub(crate) fn get_or_insert(&mut self, key: &str, make: impl FnOnce() -> T) -> &mut T {
        self.changed.insert(key.to_owned());
        self.all.entry(key.to_owned()).or_insert_with(make)
    }

    /// Lets a record be changed, or not.
    pub(crate) fn update<R>(&mut self, key: &str, change: impl FnOnce(&mut T) -> R) -> Option<R>
    where
        T: Clone + PartialEq,
    {
        let record = self.all.get_mut(key)?;
        let before = record.clone();
        let result = change(record);
        if *record != before {
            self.changed.insert(key.to_owned());
        }
        Some(result)
    }

    /// Changes all records that are meant.
    pub(crate) fn change_all(
        &mut self,
        is_meant: impl Fn(&T) -> bool,
        mut change: impl FnMut(&mut T),
    ) {
        for (key, record) in self.all.iter_mut().filter(|(_, record)| is_meant(record)) {
            change(record);
            self.changed.insert(key.clone());
        }
    }
}

impl<T> Deref for Rows<T> {
    type Target = BTreeMap<String, T>;

    fn deref(&self) -> &Self::Target {
        &self.all
    }
}

/// Rows, whatever is in them.
pub(crate) trait Table {
    /// What their kind is called on disk.
    fn kind(&self) -> &'static str;
    /// What is to be written, and added to `rows`.
    fn add_changes(&self, rows: &mut Vec<NewRow>) -> serde_json::Result<()>;
    /// What was to be written is.
    fn stored(&mut self);
    /// Puts a stored record back.
    fn restore(&mut self, key: String, record: Value) -> serde_json::Result<()>;
}

impl<T: Serialize + DeserializeOwned> Table for Rows<T> {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn add_changes(&self, rows: &mut Vec<NewRow>) -> serde_json::Result<()> {
        for key in &self.changed {
            let record = self.all.get(key).map(serde_json::to_string).transpose()?;
            rows.push((self.kind, key.clone(), record));
        }
        Ok(())
    }

    fn stored(&mut self) {
        self.changed.clear();
    }

    fn restore(&mut self, key: String, record: Value) -> serde_json::Result<()> {
        self.all.insert(key, serde_json::from_value(record)?);
        Ok(())
    }
}

/// A service that keeps rows.
pub(crate) trait Keeper {
    /// All its tables.
    fn tables(&self) -> Vec<&dyn Table>;

    /// The same, to be changed.
    fn tables_mut(&mut self) -> Vec<&mut dyn Table>;

    /// What has changed since it was stored.
    fn changes(&self) -> serde_json::Result<Vec<NewRow>> {
        let mut rows = Vec::new();
        for table in self.tables() {
            table.add_changes(&mut rows)?;
        }
        Ok(rows)
    }

    /// What had changed is stored.
    fn stored(&mut self) {
        for table in self.tables_mut() {
            table.stored();
        }
    }

    /// Puts stored rows back.
    fn restore_rows(&mut self, rows: Vec<Row>) -> Result<(), String> {
        let mut tables = self.tables_mut();
        for (kind, key, record) in rows {
            let table = tables.iter_mut().find(|table| table.kind() == kind);
            let table = table.ok_or_else(|| format!("nothing is known of {kind} {key}"))?;
            let place = format!("the {kind} {key}");
            table.restore(key, record).map_err(|error| format!("{place}: {error}"))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Service {
        numbers: Rows<u32>,
        words: Rows<String>,
    }

    impl Service {
        fn new() -> Self {
            Self { numbers: Rows::new("number"), words: Rows::new("word") }
        }
    }

    impl Keeper for Service {
        fn tables(&self) -> Vec<&dyn Table> {
            vec![&self.numbers, &self.words]
        }

        fn tables_mut(&mut self) -> Vec<&mut dyn Table> {
            vec![&mut self.numbers, &mut self.words]
        }
    }

    fn changed(service: &mut Service) -> Vec<String> {
        let changes = service.changes().unwrap();
        service.stored();
        changes.into_iter().map(|(kind, key, row)| format!("{kind} {key} {row:?}")).collect()
    }

    #[test]
    fn every_change_is_known_until_it_is_stored() {
        let mut service = Service::new();
        service.numbers.insert("a", 1);
        service.words.get_or_insert("b", String::new).push('x');
        assert_eq!(service.changes().unwrap(), service.changes().unwrap(), "it was not stored yet");
        assert_eq!(changed(&mut service), [r#"number a Some("1")"#, r#"word b Some("\"x\"")"#]);
        assert_eq!(service.numbers.update("a", |number| *number = 1), Some(()));
        assert!(changed(&mut service).is_empty(), "it is what it was");
        service.numbers.update("a", |number| *number = 2);
        assert_eq!(changed(&mut service), [r#"number a Some("2")"#]);
        *service.numbers.get_mut("a").unwrap() += 1;
        assert_eq!(changed(&mut service), [r#"number a Some("3")"#]);
        service.numbers.change_all(|number| *number > 5, |number| *number = 0);
        assert!(changed(&mut service).is_empty());
        service.numbers.change_all(|number| *number == 3, |number| *number = 0);
        assert_eq!(changed(&mut service), [r#"number a Some("0")"#]);
        assert_eq!((service.numbers.remove("a"), service.numbers.remove("a")), (Some(0), None));
        assert_eq!(changed(&mut service), ["number a None"]);
    }

    #[test]
    fn rows_survive_their_json_form() {
        let mut service = Service::new();
        service.words.insert("b", "x".to_owned());
        let rows = service.changes().unwrap().into_iter().map(|(kind, key, row)| {
            (kind.to_owned(), key, serde_json::from_str(&row.unwrap()).unwrap())
        });
        let mut later = Service::new();
        later.restore_rows(rows.collect()).unwrap();
        assert_eq!(*later.words, *service.words);
        assert!(changed(&mut later).is_empty());
        for (kind, record, complaint) in [
            ("thing", Value::Null, "nothing is known of thing k"),
            ("number", Value::Bool(true), "the number k: invalid type"),
        ] {
            let error = later.restore_rows(vec![(kind.into(), "k".into(), record)]).unwrap_err();
            assert!(error.starts_with(complaint), "{error}");
        }
    }
}
