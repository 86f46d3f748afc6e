//! One call of an operation: what it is on, what it brings, and the three ways to answer it.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Subject, list, read, shown};
use crate::cloud::{Cloud, Core};
use crate::lambda::error::ApiError;
use crate::lambda::output::Page;

/// An operation's answer.
pub(super) type Outcome = Result<Value, ApiError>;

/// A call.
pub(super) struct Call<'a> {
    pub(super) cloud: &'a Cloud,
    pub(super) operation: &'a str,
    pub(super) on: &'a Subject,
    pub(super) input: &'a Value,
}

impl<'a> Call<'a> {
    /// The name of the function that it is on.
    pub(super) fn function(&self) -> &'a str {
        &self.on.function_name
    }

    /// The version or alias that it is on.
    pub(super) fn qualifier(&self) -> Option<&'a str> {
        self.on.qualifier.as_deref()
    }

    /// The revision that it is for.
    pub(super) fn revision(&self) -> Option<&'a str> {
        self.on.revision_id.as_deref()
    }

    /// Shows something.
    pub(super) fn look<T: Serialize>(
        &self,
        look: impl FnOnce(&mut Core, i64) -> Result<T, ApiError>,
    ) -> Outcome {
        shown(&self.cloud.read(look)?)
    }

    /// Shows a page of a list, under its name: `look` gets where the page begins and how long it may be.
    pub(super) fn list<T: Serialize>(
        &self,
        key: &str,
        look: impl FnOnce(&mut Core, i64, Option<&str>, Option<usize>) -> Result<Page<T>, ApiError>,
    ) -> Outcome {
        let (marker, max_items) = (self.on.marker.as_deref(), self.on.max_items);
        list(key, self.cloud.read(|core, now| look(core, now, marker, max_items))?)
    }

    /// Changes something, and shows what came of it.
    pub(super) fn change<T: Serialize>(
        &self,
        change: impl FnOnce(&mut Core, i64) -> Result<T, ApiError>,
    ) -> Outcome {
        shown(&self.cloud.change(change)?)
    }

    /// Changes something by what the call brings.
    pub(super) fn change_by<I: DeserializeOwned, T: Serialize>(
        &self,
        change: impl FnOnce(&mut Core, i64, I) -> Result<T, ApiError>,
    ) -> Outcome {
        let input = read(self.input)?;
        self.change(|core, now| change(core, now, input))
    }
}
