//! What changes together, under one lock.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use crate::codedeploy::{CodeDeploy, Key};
use crate::home::Home;
use crate::ids::SeededIds;
use crate::lambda::model::{Key as LambdaKey, Lambda};
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
        let beside = self.lambda.take_row_changes();
        let rows = self.codedeploy.take_changes();
        if functions.is_empty() && beside.is_empty() && rows.is_empty() {
            return Ok(false);
        }
        let saved = self.write(&functions, &beside, &rows);
        if saved.is_err() {
            self.lambda.not_stored(functions);
            self.lambda.rows_not_stored(beside);
            self.codedeploy.not_stored(rows);
            return saved.map(|()| false);
        }
        Ok(!rows.is_empty())
    }

    fn write(
        &self,
        functions: &BTreeSet<String>,
        beside: &[LambdaKey],
        rows: &[Key],
    ) -> Result<(), String> {
        let mut changes = Changes::default();
        for name in functions {
            changes.functions.push((name, self.lambda.record(name)));
            changes.retired = Some(self.lambda.retired());
        }
        for key in beside {
            let record = self.lambda.row(key).map_err(|error| error.to_string())?;
            changes.lambda.push((key.0.name(), &key.1, record));
        }
        for key in rows {
            let record = self.codedeploy.row(key).map_err(|error| error.to_string())?;
            changes.codedeploy.push((key.0.name(), &key.1, record));
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.save(&self.home, &changes).map_err(|error| {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            format!("{error}: {}", cause.unwrap_or_default())
        })
    }
}
