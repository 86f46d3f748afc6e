//! What is kept, one row each.

use super::CodeDeploy;
use super::deployment::Deployment;
use crate::rows::{Keeper, Table};

/// Deployments that are kept when they are over: the newest.
const ENDED_MAX: usize = 5_000;

impl Keeper for CodeDeploy {
    fn tables(&self) -> Vec<&dyn Table> {
        vec![&self.applications, &self.groups, &self.configs, &self.deployments]
    }

    fn tables_mut(&mut self) -> Vec<&mut dyn Table> {
        vec![&mut self.applications, &mut self.groups, &mut self.configs, &mut self.deployments]
    }
}

impl CodeDeploy {
    /// Keeps a new deployment, and forgets the oldest of those that are over if there are too many.
    pub(super) fn keep(&mut self, deployment: Deployment) {
        self.deployments.insert(deployment.id.clone(), deployment);
        let over = || self.deployments.values().filter(|deployment| deployment.is_over());
        if over().count() > ENDED_MAX
            && let Some(id) = over().min_by_key(|it| it.number).map(|oldest| oldest.id.clone())
        {
            self.deployments.remove(&id);
        }
    }
}
