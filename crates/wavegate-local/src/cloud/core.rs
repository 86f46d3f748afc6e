//! What changes together, under one lock.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use crate::codedeploy::CodeDeploy;
use crate::home::Home;
use crate::ids::SeededIds;
use crate::lambda::model::Lambda;
use crate::rows::Keeper as _;
use crate::state::{Changes, State};

/// What of an account in a region changes together: deployments move Lambda's aliases.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) lambda: Lambda,
    pub(crate) codedeploy: CodeDeploy,
    pub(crate) ids: SeededIds,
    home: Arc<Home>,
    state: Arc<Mutex<State>>,
}

impl Core {
    /// What is in `home`, which is kept in `state`.
    pub(super) fn new(
        home: Arc<Home>,
        lambda: Lambda,
        codedeploy: CodeDeploy,
        ids: SeededIds,
        state: Arc<Mutex<State>>,
    ) -> Self {
        Self { lambda, codedeploy, ids, home, state }
    }

    /// Saves what has changed; whether anything of CodeDeploy's has. What could not be saved is saved
    /// with the next change.
    pub(super) fn save(&mut self) -> Result<bool, String> {
        let functions = self.lambda.take_changes();
        let saved = self.write(&functions);
        match saved {
            Ok(_) => {
                self.lambda.stored();
                self.codedeploy.stored();
            }
            Err(_) => self.lambda.not_stored(functions),
        }
        saved
    }

    fn write(&self, functions: &BTreeSet<String>) -> Result<bool, String> {
        let unreadable = |error: serde_json::Error| error.to_string();
        let changes = Changes {
            functions: functions
                .iter()
                .map(|name| (name.as_str(), self.lambda.record(name)))
                .collect(),
            retired: (!functions.is_empty()).then(|| self.lambda.retired()),
            lambda: self.lambda.changes().map_err(unreadable)?,
            codedeploy: self.codedeploy.changes().map_err(unreadable)?,
        };
        if changes.is_empty() {
            return Ok(false);
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.save(&self.home, &changes).map_err(|error| {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            format!("{error}: {}", cause.unwrap_or_default())
        })?;
        Ok(!changes.codedeploy.is_empty())
    }
}
