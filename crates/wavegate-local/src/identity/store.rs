//! What is kept, one row each.

use super::Identity;
use crate::rows::{Keeper, Table};

impl Keeper for Identity {
    fn tables(&self) -> Vec<&dyn Table> {
        vec![&self.roles, &self.policies]
    }

    fn tables_mut(&mut self) -> Vec<&mut dyn Table> {
        vec![&mut self.roles, &mut self.policies]
    }
}
