//! What is kept besides functions, one row each: layers, code signing configurations, event source
//! mappings. These records are part of the format on disk: fields may be added with defaults, never
//! renamed or removed.

use super::Lambda;
use crate::rows::{Keeper, Table};

impl Keeper for Lambda {
    fn tables(&self) -> Vec<&dyn Table> {
        vec![&self.layers, &self.code_signing, &self.mappings]
    }

    fn tables_mut(&mut self) -> Vec<&mut dyn Table> {
        vec![&mut self.layers, &mut self.code_signing, &mut self.mappings]
    }
}
