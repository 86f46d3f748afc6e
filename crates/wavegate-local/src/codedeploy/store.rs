//! What is kept, one row each.

use serde_json::Value;

use super::CodeDeploy;
use super::deployment::Deployment;

/// Deployments that are kept when they are over: the newest.
const ENDED_MAX: usize = 5_000;

/// What a row holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Application,
    Group,
    Config,
    Deployment,
}

/// A row's place.
pub(crate) type Key = (Kind, String);

impl Kind {
    /// Its name on disk.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Application => "application",
            Self::Group => "group",
            Self::Config => "config",
            Self::Deployment => "deployment",
        }
    }
}

impl CodeDeploy {
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
        fn json<T: serde::Serialize>(record: Option<&T>) -> serde_json::Result<Option<String>> {
            record.map(serde_json::to_string).transpose()
        }
        match kind {
            Kind::Application => json(self.applications.get(key)),
            Kind::Group => json(self.groups.get(key)),
            Kind::Config => json(self.configs.get(key)),
            Kind::Deployment => json(self.deployments.get(key)),
        }
    }

    /// Puts stored rows back: kind, key and record of each.
    pub(crate) fn restore(
        &mut self,
        rows: impl IntoIterator<Item = (String, String, Value)>,
    ) -> Result<(), String> {
        for (kind, key, record) in rows {
            let damaged = |error: serde_json::Error| format!("the {kind} {key}: {error}");
            let read = match kind.as_str() {
                "application" => serde_json::from_value(record)
                    .map(|it| drop(self.applications.insert(key.clone(), it))),
                "group" => serde_json::from_value(record)
                    .map(|it| drop(self.groups.insert(key.clone(), it))),
                "config" => serde_json::from_value(record)
                    .map(|it| drop(self.configs.insert(key.clone(), it))),
                "deployment" => serde_json::from_value(record)
                    .map(|it| drop(self.deployments.insert(key.clone(), it))),
                other => return Err(format!("{other} is nothing that CodeDeploy keeps")),
            };
            read.map_err(damaged)?;
        }
        Ok(())
    }

    /// Notes a row as changed.
    pub(super) fn touch(&mut self, kind: Kind, key: &str) {
        self.changed.insert((kind, key.to_owned()));
    }

    /// Keeps a new deployment, and forgets the oldest of those that are over if there are too many.
    pub(super) fn keep(&mut self, deployment: Deployment) {
        self.touch(Kind::Deployment, &deployment.id);
        self.deployments.insert(deployment.id.clone(), deployment);
        let over = || self.deployments.values().filter(|deployment| deployment.is_over());
        if over().count() > ENDED_MAX
            && let Some(id) = over().min_by_key(|it| it.number).map(|oldest| oldest.id.clone())
        {
            self.deployments.remove(&id);
            self.touch(Kind::Deployment, &id);
        }
    }
}
