//! Publishing and listing versions.

use super::configuration;
use super::function::check_revision;
use super::record::VersionRecord;
use super::{Lambda, page, transition};
use crate::ids::Ids;
use crate::lambda::error::{ApiError, Constraints};
use crate::lambda::input::PublishVersion;
use crate::lambda::name::LATEST;
use crate::lambda::output::{FunctionConfiguration, Page};

/// Whether the new version is there at once or is being created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Birth {
    /// `$LATEST` was active already, so the version is.
    Active,
    /// Code was just uploaded, or a snapshot is to be taken.
    Pending,
}

impl Lambda {
    /// `PublishVersion`. Answers with the last version when neither code nor configuration changed
    /// since; its description then stays what it was.
    pub fn publish_version(
        &mut self,
        now: i64,
        ids: &mut dyn Ids,
        name: &str,
        input: &PublishVersion,
    ) -> Result<FunctionConfiguration, ApiError> {
        let name = self.unqualified(name)?;
        if let Some(description) = &input.description {
            let mut constraints = Constraints::default();
            constraints.max_length("description", description, 256);
            constraints.finish()?;
        }
        let latest = self.function(&name)?.latest.settled(now);
        check_revision(&latest, input.revision_id.as_deref())?;
        self.check_idle(&latest, &name)?;
        let current = latest.code.sha256();
        if let Some(given) = input.code_sha256.as_deref().filter(|given| *given != current) {
            return Err(ApiError::invalid(format!(
                "CodeSHA256 ({given}) is different from current CodeSHA256 in $LATEST ({current}). \
                 Please try again with the CodeSHA256 in $LATEST."
            )));
        }
        let birth = if latest.configuration.snap_start == "PublishedVersions" {
            Birth::Pending
        } else {
            Birth::Active
        };
        let version = self.publish(now, ids, &name, input.description.as_deref(), birth)?;
        Ok(configuration::show(&self.home, &name, Some(&version.version), &version))
    }

    /// Publishes as a part of creating or updating, while `$LATEST` itself is still under way.
    pub(super) fn publish_pending(
        &mut self,
        now: i64,
        ids: &mut dyn Ids,
        name: &str,
    ) -> Result<VersionRecord, ApiError> {
        self.publish(now, ids, name, None, Birth::Pending)
    }

    fn publish(
        &mut self,
        now: i64,
        ids: &mut dyn Ids,
        name: &str,
        description: Option<&str>,
        birth: Birth,
    ) -> Result<VersionRecord, ApiError> {
        let settle_ms = self.settle_ms;
        if let Some((_, last)) = self.function(name)?.versions.last_key_value() {
            let last = last.settled(now);
            if is_same(&self.function(name)?.latest, &last) {
                return Ok(last);
            }
        }
        let function = self.function_mut(now, name)?;
        let number = function.next_version;
        function.next_version += 1;
        let mut version = VersionRecord {
            version: number.to_string(),
            source_description: function.latest.configuration.description.clone(),
            deployment: ids.uuid(),
            revision_id: ids.uuid(),
            last_modified_ms: now,
            creating: None,
            updating: None,
            ..function.latest.clone()
        };
        if let Some(description) = description.filter(|text| !text.is_empty()) {
            description.clone_into(&mut version.configuration.description);
        }
        if birth == Birth::Pending {
            version.creating = Some(transition(now, settle_ms, ids));
        }
        // Recorded on AWS: publishing gives $LATEST a new revision id.
        function.latest.revision_id = ids.uuid();
        function.versions.insert(number, version.clone());
        Ok(version)
    }

    /// `ListVersionsByFunction`: `$LATEST` first, then by number.
    pub fn list_versions(
        &self,
        now: i64,
        name: &str,
        marker: Option<&str>,
        max_items: Option<usize>,
    ) -> Result<Page<FunctionConfiguration>, ApiError> {
        let name = self.unqualified(name)?;
        let items = self.function(&name)?.all_versions().map(|version| {
            let number = if version.version == LATEST { "0" } else { &version.version };
            (format!("{number:0>20}"), version)
        });
        Ok(page(items, marker, max_items, |version| {
            let qualifier = Some(version.version.as_str());
            configuration::show(&self.home, &name, qualifier, &version.settled(now)).listed()
        }))
    }
}

/// Whether publishing `latest` would make a copy of `version`.
fn is_same(latest: &VersionRecord, version: &VersionRecord) -> bool {
    let mut published = version.configuration.clone();
    published.description.clone_from(&version.source_description);
    latest.code == version.code && latest.configuration == published
}
